/** One job at a time: onnxruntime's kernels already use every core, and two jobs would double the memory. */

import { QuantscopeError, toQuantscopeError } from '../shared/errors';

interface Waiting {
  readonly start: () => Promise<void>;
  readonly cancel: () => void;
}

/** Runs jobs in the order in which they were added. */
export class JobQueue {
  readonly #waiting: Waiting[] = [];
  #busy = false;

  /** The job's own result. Rejects with `cancelled`, without running it, where the signal comes while it waits. */
  add<T>(job: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = (): void => {
        const place = this.#waiting.indexOf(entry);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(new QuantscopeError('cancelled', 'The job was cancelled before it began.'));
      };
      const start = (): Promise<void> => {
        signal.removeEventListener('abort', cancel);
        return job().then(resolve, (error: unknown) => {
          reject(toQuantscopeError(error));
        });
      };
      const entry: Waiting = { start, cancel };
      if (signal.aborted) {
        cancel();
        return;
      }
      signal.addEventListener('abort', cancel, { once: true });
      this.#waiting.push(entry);
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (;;) {
      // A job may have kept this thread from reading messages: one of them may cancel the next job.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#waiting.shift();
      if (next === undefined) break;
      await next.start();
    }
    this.#busy = false;
  }

  /** Cancels what waits; the running job is not touched. */
  clear(): void {
    for (const { cancel } of [...this.#waiting]) cancel();
  }
}
