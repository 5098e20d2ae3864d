/** The range of the smallest expected squared error: the idea of torch's HistogramObserver, searched on both ends. */

import type { ErrorModel } from './errorModel';
import type { QuantSpec, Range } from './qparams';

/** Candidates of the first grid: so many per octave, down to 2^-12 of the extreme. */
const PER_OCTAVE = 5;
const OCTAVES_DOWN = 12;
/** Factors of the refinement, down to a hundredth of an octave. */
const FACTORS = Array.from({ length: 6 }, (_, k) => 2 ** (1 / (PER_OCTAVE * 2 ** k)));

const grid = (extreme: number): number[] =>
  extreme === 0 ? [0] : Array.from({ length: OCTAVES_DOWN * PER_OCTAVE }, (_, k) => extreme * 2 ** (-k / PER_OCTAVE));

/**
 * Searches [-low, high] with low ≤ |min| and high ≤ max: the grid of all pairs, then around its best
 * with shrinking factors. Every candidate is judged by its real scale and rounded zero point, so the
 * result is never worse than min-max by the model's own figure; of equal ranges the widest wins.
 * `spec.symmetric` ties both ends to one bound.
 */
export function mseRange(model: ErrorModel, spec: QuantSpec): Range {
  const { min, max, absMax } = model.stats;
  const lowest = Math.max(0, -min);
  const highest = Math.max(0, max);
  let best: Range = { min: -lowest, max: highest };
  let smallest = Infinity;
  const consider = (low: number, high: number): void => {
    const range = { min: -Math.min(low, lowest), max: Math.min(high, highest) };
    const { rounding, clipping } = model.error(range, spec);
    if (rounding + clipping < smallest) [best, smallest] = [range, rounding + clipping];
  };

  if (spec.symmetric) {
    for (const bound of grid(absMax)) consider(bound, bound);
    for (const factor of FACTORS) {
      const bound = Math.max(-best.min, best.max);
      consider(bound * factor, bound * factor);
      consider(bound / factor, bound / factor);
    }
    return best;
  }

  const highs = grid(highest);
  for (const low of grid(lowest)) for (const high of highs) consider(low, high);
  for (const factor of FACTORS) {
    consider(-best.min * factor, best.max);
    consider(-best.min / factor, best.max);
    consider(-best.min, best.max * factor);
    consider(-best.min, best.max / factor);
  }
  return best;
}
