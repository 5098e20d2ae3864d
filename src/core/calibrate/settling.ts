/** Whether calibration has seen enough: ranges that the second half of the samples did not widen will not grow much more. */

import type { Measured } from './sink';

interface Range {
  min: number;
  max: number;
}

/** The first comparison is of this many samples with twice as many. */
const FIRST = 16;

export class Settling {
  readonly #share: number;
  readonly #ranges = new Map<string, Range>();
  #before: ReadonlyMap<string, Readonly<Range>> | undefined;
  #seen = 0;
  #next = FIRST;

  /** @param share of its span by which the second half may widen a range: 0.01 is one percent */
  constructor(share: number) {
    this.#share = share;
  }

  /** Takes in a sample. @returns whether no more are needed; asked at 32, 64, 128 … samples */
  observe(tensors: Measured): boolean {
    for (const [name, values] of tensors) this.#widen(name, values);
    this.#seen++;
    if (this.#seen < this.#next) return false;
    const settled = this.#before !== undefined && [...this.#ranges].every(([name, now]) => this.#holds(name, now));
    this.#before = new Map([...this.#ranges].map(([name, range]) => [name, { ...range }]));
    this.#next = 2 * this.#seen;
    return settled;
  }

  #widen(name: string, values: Float32Array): void {
    const range = this.#ranges.get(name) ?? { min: 0, max: 0 };
    this.#ranges.set(name, range);
    let { min, max } = range;
    // NaN compares as false and infinities have no place in a range.
    for (const value of values) {
      if (value < min && value !== -Infinity) min = value;
      if (value > max && value !== Infinity) max = value;
    }
    Object.assign(range, { min, max });
  }

  #holds(name: string, now: Readonly<Range>): boolean {
    const before = this.#before?.get(name);
    if (before === undefined) return false;
    return now.max - now.min <= (1 + this.#share) * (before.max - before.min);
  }
}
