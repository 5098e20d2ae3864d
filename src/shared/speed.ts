/** How fast int8 is beside fp32, in words: the same in the terminal, the editor and the views. Pure. */

import { milliseconds, number3, speedChange } from './format';

/** In which a quotient lies with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Time of the first ÷ time of the other, of two medians; above 1 the other is faster. */
export interface Speedup {
  readonly ratio: number;
  /** Left out by earlier versions. */
  readonly interval?: Interval;
}

/** Two models as they were timed in turns, in milliseconds. */
export interface Timed extends Speedup {
  readonly fp32: number;
  readonly int8: number;
}

export type Verdict = 'faster' | 'slower' | 'same';

/** What is assumed of a report that tells no interval. */
const NOISE = 0.05;

/** `same` where the interval holds 1. */
export function speedVerdict({ ratio, interval }: Speedup): Verdict {
  const { low, high } = interval ?? { low: ratio * (1 - NOISE), high: ratio * (1 + NOISE) };
  return low > 1 ? 'faster' : high < 1 ? 'slower' : 'same';
}

/** `1.80× as fast`, `1.42× slower`, `speed not told apart`: where there is room for a few words. */
export function speedWords(timed: Timed): string {
  return speedVerdict(timed) === 'same' ? 'speed not told apart' : speedChange(timed.fp32, timed.int8);
}

/** `16.3 ms → 14.8 ms, 1.10× as fast`, or that the two cannot be told apart. */
export function speedText(timed: Timed): string {
  const { fp32, int8 } = timed;
  const told = speedVerdict(timed) === 'same' ? untold(timed) : speedChange(fp32, int8);
  return `${milliseconds(fp32)} → ${milliseconds(int8)}, ${told}`;
}

/** `cannot be told apart on this machine (0.970 … 1.05×)` */
export function untold({ interval }: Speedup): string {
  const range = interval === undefined ? '' : ` (${number3(interval.low)} … ${number3(interval.high)}×)`;
  return `cannot be told apart on this machine${range}`;
}

/** `1.80× as fast as fp32`, `1.42× slower than fp32`, `not to be told apart from fp32 on this machine`. */
export function speedBeside(timed: Timed, other: string): string {
  const words = { faster: 'as', slower: 'than' } as const;
  const verdict = speedVerdict(timed);
  if (verdict === 'same') return `not to be told apart from ${other} on this machine`;
  return `${speedChange(timed.fp32, timed.int8)} ${words[verdict]} ${other}`;
}
