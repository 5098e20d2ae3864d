/** The engine's side of the protocol: greets, queues jobs, forwards progress. Which jobs there are is passed in. */

import type { MessageConnection } from 'vscode-jsonrpc/node';
import { QuantscopeError, throwIfCancelled } from '../shared/errors';
import type { OnProgress } from '../shared/progress';
import {
  helloMismatch,
  JOB_NAMES,
  type EngineHello,
  type JobName,
  type JobOptions,
  type Jobs,
} from '../shared/protocol';
import { JobQueue } from './queue';
import { typed } from './rpc';

export interface HandlerContext extends JobOptions {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly log: (line: string) => void;
}

/** What does the work of each job. A handler stops soon after its signal, with `cancelled`. */
export type Handler<N extends JobName> = (
  input: Jobs[N]['input'],
  context: HandlerContext,
) => Promise<Jobs[N]['output']>;
export type Handlers = { readonly [N in JobName]: Handler<N> };

/**
 * Serves the protocol on a connection, and starts to listen.
 * @param exit ends the process; called after `shutdown` was answered
 */
export function startEngine(
  connection: MessageConnection,
  handlers: Handlers,
  self: EngineHello,
  exit: () => void,
): void {
  const rpc = typed(connection);
  const queue = new JobQueue();
  const stopping = new AbortController();
  let greeted = false;

  rpc.onRequest('hello', (client) => {
    const mismatch = helloMismatch(client, self);
    greeted = mismatch === undefined;
    return mismatch === undefined
      ? Promise.resolve(self)
      : Promise.reject(new QuantscopeError('protocol-mismatch', mismatch));
  });

  rpc.onRequest('shutdown', () => {
    stopping.abort();
    queue.clear();
    setImmediate(exit);
    return Promise.resolve(null);
  });

  for (const name of JOB_NAMES) {
    rpc.onRequest<JobName>(name, (request, cancelled) => {
      if (!greeted) throw new QuantscopeError('protocol-mismatch', `A client asked for "${name}" before "hello".`);
      const { job, input, options } = request;
      const signal = AbortSignal.any([cancelled, stopping.signal]);
      // The name that the request came by says which input it carries.
      const handler: (input: never, context: HandlerContext) => Promise<Jobs[JobName]['output']> = handlers[name];
      return queue.add(async () => {
        throwIfCancelled(signal);
        return handler(input as never, {
          ...options,
          signal,
          onProgress: (progress) => {
            rpc.notify('progress', { job, progress });
          },
          log: (line) => {
            rpc.notify('log', { level: 'info', line });
          },
        });
      }, signal);
    });
  }

  connection.listen();
}
