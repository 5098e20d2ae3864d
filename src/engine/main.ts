/**
 * The engine process: does the jobs of the core for the client that forked it. Its own process,
 * because native code can crash and blocks the thread while it runs.
 */

import * as os from 'node:os';
import * as path from 'node:path';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { removeStaleFolders } from '../core/staleFiles';
import { VERSION } from '../core/version';
import { EXIT, QuantscopeError, toQuantscopeError } from '../shared/errors';
import { PROTOCOL_VERSION, type JobName } from '../shared/protocol';
import { typed } from './rpc';
import { startEngine, type Handler, type Handlers } from './server';
import { TEMPORARY_PREFIX } from './temporary';
import { endWithParent } from './watchdog';

/** Where the native binary does not load, every job says so, instead of an engine that never starts. */
async function loadJobs(): Promise<Handlers> {
  try {
    return (await import('./jobs')).JOBS;
  } catch (error) {
    const { message } = toQuantscopeError(error);
    const absent = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
    throw new QuantscopeError('runtime-missing', `A native module does not load: ${message}`, {
      ...(absent ? { hint: 'Run `npm install` in the folder of Quantscope.' } : {}),
      cause: error,
    });
  }
}

const lazily =
  <N extends JobName>(name: N): Handler<N> =>
  async (input, context) =>
    (await loadJobs())[name](input, context);

const handlers: Handlers = {
  inspect: lazily('inspect'),
  quantize: lazily('quantize'),
  evaluate: lazily('evaluate'),
  benchmark: lazily('benchmark'),
  details: lazily('details'),
  culprits: lazily('culprits'),
  prices: lazily('prices'),
  tune: lazily('tune'),
  exportOnnx: lazily('exportOnnx'),
};

const connection = createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process));

function die(error: unknown): void {
  const known = toQuantscopeError(error);
  typed(connection).notify('log', { level: 'error', line: known.message });
  const stack = error instanceof Error ? error.stack : undefined;
  process.stderr.write(`${stack ?? known.message}\n`, () => process.exit(EXIT.engineFailure));
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
// The client is gone: nobody is left to work for.
process.on('disconnect', () => process.exit(EXIT.ok));
endWithParent();
// Its own folder for temporary files was made by the client, beside those of others.
void removeStaleFolders(path.dirname(os.tmpdir()), TEMPORARY_PREFIX);
// Ctrl+C and the end of a CI job reach every process of the group; the client decides what is cancelled.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

const self = { protocol: PROTOCOL_VERSION, version: VERSION, pid: process.pid, runtime: process.version };
startEngine(connection, handlers, self, () => process.exit(EXIT.ok));
