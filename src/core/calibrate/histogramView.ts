/** A tensor's statistics as a histogram to look at. */

import type { HistogramView } from '../../shared/details';
import type { TensorStats } from './histogram';

/**
 * Equal bins over what was seen. A value may lie one slot of the statistics, 0.1 % of itself, beside its bin; the
 * near zeros count as 0.
 */
export function histogramView(stats: TensorStats, bins: number): HistogramView {
  const counts = new Float64Array(bins);
  const { min, max, count } = stats;
  if (count === 0) return { min: 0, max: 0, counts, total: 0 };
  const perUnit = max > min ? bins / (max - min) : 0;
  const { edges, positive, negative } = stats.bins();
  const add = (sign: 1 | -1, slots: ArrayLike<number>): void => {
    for (let slot = 0; slot < slots.length; slot++) {
      const inSlot = slots[slot]!;
      if (inSlot === 0) continue;
      const middle = slot === 0 ? 0 : (sign * (edges[slot]! + edges[slot + 1]!)) / 2;
      const bin = Math.floor((middle - min) * perUnit);
      counts[Math.min(bins - 1, Math.max(0, bin))]! += inSlot;
    }
  };
  add(1, positive);
  if (negative !== undefined) add(-1, negative);
  return { min, max, counts, total: count };
}
