/** The view's end of the protocol: requests with replies, errors and time limits; events of the host. */

import { QuantscopeError } from '../../src/shared/errors';
import {
  readHostMessage,
  TIMEOUT_MS,
  type ViewEvents,
  type ViewEventName,
  type ViewMethod,
  type ViewRequest,
  type ViewRequests,
} from '../../src/shared/viewProtocol';

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: QuantscopeError) => void;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
}

export type EventHandlers = { readonly [E in ViewEventName]: (data: ViewEvents[E]) => void };

export class Connection {
  readonly #post: (message: ViewRequest) => void;
  readonly #events: EventHandlers;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(post: (message: ViewRequest) => void, events: EventHandlers) {
    this.#post = post;
    this.#events = events;
  }

  /** @throws the error of the host; `engine-crashed` where no answer came in time */
  request<M extends ViewMethod>(method: M, params: ViewRequests[M]['params']): Promise<ViewRequests[M]['result']> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      const limit = TIMEOUT_MS[method];
      const timer = Number.isFinite(limit)
        ? setTimeout(() => {
            this.#waiting.delete(id);
            const message = `No answer within ${limit / 1e3} s.`;
            reject(new QuantscopeError('engine-crashed', message, { hint: 'Close the layer view and open it again.' }));
          }, limit)
        : undefined;
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject, timer });
      this.#post({ type: 'request', id, method, params });
    });
  }

  receive(data: unknown): void {
    const message = readHostMessage(data);
    if (message === undefined) return;
    if (message.type === 'event') {
      this.#emit(message.event, message.data);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.type === 'reply') waiting.resolve(message.result);
    else waiting.reject(QuantscopeError.fromData(message.error));
  }

  #emit(event: ViewEventName, data: ViewEvents[ViewEventName]): void {
    const handler = this.#events[event] as (data: ViewEvents[ViewEventName]) => void;
    handler(data);
  }
}
