/** Servers that the terminal starts: programs of their own, on the streams of this one, so that no command reads them. */

import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { EXIT, QuantscopeError, type ExitStatus } from '../shared/errors';

/** By the command that starts it: its source, and the bundle, which lies beside the one that uses it. */
const PROGRAMS = {
  lsp: { title: 'language server', source: '../server/main.ts', bundle: 'server.js' },
  mcp: { title: 'server for agents', source: 'mcp/main.ts', bundle: 'mcp.js' },
} as const;

export type ProgramName = keyof typeof PROGRAMS;

/** Runs until the editor or agent ends it. @throws `internal` where it cannot be started */
export async function runProgram(name: ProgramName, signal: AbortSignal): Promise<ExitStatus> {
  const { title, source, bundle } = PROGRAMS[name];
  // Run from our sources it is a source file too.
  const entry = path.join(__dirname, path.extname(__filename) === '.ts' ? source : bundle);
  const child = spawn(process.execPath, [...process.execArgv, entry, '--stdio'], { stdio: 'inherit' });
  const stop = (): void => void child.kill();
  signal.addEventListener('abort', stop);
  try {
    return await new Promise<ExitStatus>((resolve, reject) => {
      child.on('error', (cause) => {
        reject(new QuantscopeError('internal', `The ${title} did not start: ${cause.message}.`, { cause }));
      });
      child.on('close', (code) => {
        resolve(signal.aborted ? EXIT.cancelled : code === 0 ? EXIT.ok : EXIT.engineFailure);
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
