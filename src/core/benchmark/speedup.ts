/** How many times as fast one model is as another, with the interval in which that lies. */

import type { Speedup } from '../../shared/speed';
import { bootstrap } from './bootstrap';
import { median } from './statistics';

/** Two sessions of one and the same model differ by this much: where their memory happens to lie. */
export const TIMING_FLOOR = 0.03;
/** Of fewer rounds nothing is known of their spread; so much is seen between single runs on a shared machine. */
const FEW = 5;
const FLOOR_OF_FEW = 0.3;

/**
 * The quotient of the two medians, which are what is shown. Its interval comes from drawing whole rounds, for what slows
 * a round down slows both models.
 * @param first, other times of the same rounds
 */
export function speedup(first: readonly number[], other: readonly number[]): Speedup {
  const of = (times: readonly number[], indices: Int32Array): number =>
    median(Float64Array.from(indices, (index) => times[index]!));
  const { value, low, high } = bootstrap(first.length, (indices) => of(first, indices) / of(other, indices), 0);
  const floor = first.length < FEW ? FLOOR_OF_FEW : TIMING_FLOOR;
  return {
    ratio: value,
    interval: { low: Math.min(value, low) * (1 - floor), high: Math.max(value, high) * (1 + floor) },
  };
}
