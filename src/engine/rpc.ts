/** The protocol's types put over JSON-RPC, for both sides. */

import { CancellationToken, ResponseError, type MessageConnection } from 'vscode-jsonrpc/node';
import { toQuantscopeError } from '../shared/errors';
import { FAILURE, type Notifications, type Requests } from '../shared/protocol';

export type Method = keyof Requests;

export interface TypedConnection {
  request<M extends Method>(
    method: M,
    params: Requests[M]['params'],
    token?: CancellationToken,
  ): Promise<Requests[M]['result']>;
  /** The handler's error crosses with code, message and hint; anything else thrown as `internal`. */
  onRequest<M extends Method>(
    method: M,
    handler: (params: Requests[M]['params'], signal: AbortSignal) => Promise<Requests[M]['result']>,
  ): void;
  notify<N extends keyof Notifications>(name: N, params: Notifications[N]): void;
  onNotification<N extends keyof Notifications>(name: N, handler: (params: Notifications[N]) => void): void;
}

export function typed(connection: MessageConnection): TypedConnection {
  return {
    // The library would take an absent token for one more parameter.
    request: (method, params, token = CancellationToken.None) => connection.sendRequest(method, params, token),
    onRequest(method, handler) {
      connection.onRequest(method, async (params: Parameters<typeof handler>[0], token: CancellationToken) => {
        try {
          return await handler(params, signalOf(token));
        } catch (error) {
          const known = toQuantscopeError(error);
          throw new ResponseError(FAILURE, known.message, known.toData());
        }
      });
    },
    notify(name, params) {
      // The other side may be gone; that is noticed elsewhere.
      connection.sendNotification(name, params).catch(() => undefined);
    },
    onNotification(name, handler) {
      connection.onNotification(name, handler);
    },
  };
}

function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}
