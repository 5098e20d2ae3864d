/** How long each stage of a job takes. */

import type { OnProgress, Progress, Stage } from '../../shared/progress';
import { figuresOf, measuredAfter } from '../../shared/pending';
import type { Report } from '../../shared/report';

/** Seconds by stage, told from the progress that passes by. */
export class StageClock {
  readonly #forward: OnProgress | undefined;
  readonly #seconds: Partial<Record<Stage, number>> = {};
  #stage: Stage = 'read';
  #since = performance.now();
  #tells = false;

  constructor(forward: OnProgress | undefined) {
    this.#forward = forward;
  }

  readonly onProgress = (progress: Progress): void => {
    this.#switch(progress.stage);
    const left = this.#tells ? measuredAfter(progress.stage) : [];
    const message = left.length === 0 ? {} : { message: `the model is written; then ${figuresOf(left)}` };
    this.#forward?.({ ...message, ...progress });
  };

  /** From here on progress says what is measured afterwards. */
  tellWhatIsLeft(): void {
    this.#tells = true;
  }

  enter(stage: Stage): void {
    this.onProgress({ stage, done: 0, total: 1 });
  }

  finish(): Report['seconds'] {
    this.#switch(this.#stage);
    return this.#seconds;
  }

  #switch(stage: Stage): void {
    const now = performance.now();
    this.#seconds[this.#stage] = (this.#seconds[this.#stage] ?? 0) + (now - this.#since) / 1000;
    this.#since = now;
    this.#stage = stage;
  }
}
