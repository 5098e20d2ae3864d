/** The language server, a program of its own, on the streams of this one. */

import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { EXIT, QuantscopeError, type ExitStatus } from '../shared/errors';

/** Run from its sources the server is a source file too; bundled, it lies beside the bundle that uses it. */
const ENTRY =
  path.extname(__filename) === '.ts' ? path.join(__dirname, '../server/main.ts') : path.join(__dirname, 'server.js');

/** Runs until the editor ends it. @throws `internal` where it cannot be started */
export async function runLanguageServer(signal: AbortSignal): Promise<ExitStatus> {
  const child = spawn(process.execPath, [...process.execArgv, ENTRY, '--stdio'], { stdio: 'inherit' });
  const stop = (): void => void child.kill();
  signal.addEventListener('abort', stop);
  try {
    return await new Promise<ExitStatus>((resolve, reject) => {
      child.on('error', (cause) => {
        reject(new QuantscopeError('internal', `The language server did not start: ${cause.message}.`, { cause }));
      });
      child.on('close', (code) => {
        resolve(signal.aborted ? EXIT.cancelled : code === 0 ? EXIT.ok : EXIT.engineFailure);
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
