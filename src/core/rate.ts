/** Progress with rate and time left, for any loop over items. */

import type { OnProgress, Stage } from '../shared/progress';

/** Counts items of a stage and reports each; the rate is over the whole stage so far. */
export class RateMeter {
  readonly #stage: Stage;
  readonly #total: number;
  readonly #onProgress: OnProgress | undefined;
  readonly #start = performance.now();
  #done = 0;

  constructor(stage: Stage, total: number, onProgress: OnProgress | undefined) {
    this.#stage = stage;
    this.#total = total;
    this.#onProgress = onProgress;
    onProgress?.({ stage, done: 0, total });
  }

  step(): void {
    this.#done++;
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = seconds > 0 ? this.#done / seconds : 0;
    const measured = rate > 0 ? { rate, secondsLeft: Math.max(0, this.#total - this.#done) / rate } : {};
    this.#onProgress?.({ stage: this.#stage, done: this.#done, total: this.#total, ...measured });
  }
}
