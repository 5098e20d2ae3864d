/** The `quantscope` program. */

import { VERSION } from '../core/version';
import { EngineClient } from '../engine/client';
import { EXIT, toQuantscopeError, type ExitStatus } from '../shared/errors';
import { runCli } from './app';
import { runProgram } from './program';
import type { LineOutput } from './progressLine';

const DEFAULT_COLUMNS = 80;

/** What is lost on its way out is told after the work was done, and that was for nothing. */
let lost: ExitStatus | undefined;

function lineOutput(stream: NodeJS.WriteStream): LineOutput {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has gone away (`| head`) is no failure; a full disk is.
    if (error.code === 'EPIPE' || lost !== undefined) return;
    lost = EXIT.engineFailure;
    process.exitCode = lost;
    const { code, message } = toQuantscopeError(error, 'file-unwritable');
    if (stream !== process.stderr)
      process.stderr.write(`error ${code}: Standard output cannot be written: ${message}.\n`);
  });
  return {
    isTTY: stream.isTTY,
    get columns() {
      return stream.isTTY ? stream.columns : DEFAULT_COLUMNS;
    },
    write: (text) => void stream.write(text),
  };
}

const controller = new AbortController();
function stop(): void {
  // The second time somebody means it.
  if (controller.signal.aborted) process.exit(EXIT.cancelled);
  controller.abort();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

void runCli(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  stdout: lineOutput(process.stdout),
  stderr: lineOutput(process.stderr),
  signal: controller.signal,
  version: VERSION,
  engine: new EngineClient({ version: VERSION }),
  serve: runProgram,
}).then((status) => {
  // Not `process.exit`: what is written to a pipe may not have left yet.
  process.exitCode = lost ?? status;
});
