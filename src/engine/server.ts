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

  const serve = <N extends JobName>(name: N): void => {
    rpc.onRequest<JobName>(name, (request, cancelled) => {
      if (!greeted) throw new QuantscopeError('protocol-mismatch', `A client asked for "${name}" before "hello".`);
      const { job, input, options } = request as { job: number; input: Jobs[N]['input']; options: JobOptions };
      const signal = AbortSignal.any([cancelled, stopping.signal]);
      const run = (): Promise<Jobs[N]['output']> => {
        throwIfCancelled(signal);
        return handlers[name](input, {
          ...options,
          signal,
          onProgress: (progress) => {
            rpc.notify('progress', { job, progress });
          },
          log: (line) => {
            rpc.notify('log', { level: 'info', line });
          },
        });
      };
      return queue.add(async () => run(), signal);
    });
  };
  for (const name of JOB_NAMES) serve(name);

  connection.listen();
}
