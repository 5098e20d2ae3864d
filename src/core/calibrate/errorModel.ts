/**
 * Predicts the squared quantization error of a range from a tensor's histogram.
 *
 * Zero is always a grid point, so a value closer to zero than half a step becomes zero and errs by
 * itself; any other value inside the range lies anywhere in its cell and errs by step²/12 on average
 * (Widrow and Kollár, "Quantization Noise"); a value outside errs by its distance to the bound. Sums
 * over everything above a magnitude make each prediction a handful of look-ups.
 */

import type { TensorStats } from './histogram';
import { SIDE } from './kernel';
import { paramsOf, type Convention, type QuantSpec, type Range } from './qparams';

/** Mean squared error per element, by cause. */
export interface QuantizationError {
  readonly rounding: number;
  readonly clipping: number;
}

/** Count, Σ|x| and Σx² over all slots above a slot, for one sign. */
interface Above {
  readonly count: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

function sumsAbove(counts: ArrayLike<number>, edges: Float64Array): Above {
  const above = { count: new Float64Array(SIDE), sum: new Float64Array(SIDE), squares: new Float64Array(SIDE) };
  let [count, sum, squares] = [0, 0, 0];
  for (let slot = SIDE - 1; slot > 0; slot--) {
    const here = counts[slot]!;
    if (here !== 0) {
      const centre = (edges[slot]! + edges[slot + 1]!) / 2;
      count += here;
      sum += here * centre;
      squares += here * centre * centre;
    }
    above.count[slot - 1] = count;
    above.sum[slot - 1] = sum;
    above.squares[slot - 1] = squares;
  }
  return above;
}

/** Made once per tensor for any number of predictions; a later `observe` does not enter it. */
export class ErrorModel {
  readonly stats: TensorStats;
  readonly #positive: Above;
  readonly #negative: Above | undefined;

  constructor(stats: TensorStats) {
    this.stats = stats;
    const { edges, positive, negative } = stats.bins();
    this.#positive = sumsAbove(positive, edges);
    this.#negative = negative && sumsAbove(negative, edges);
  }

  /** Summed squared error of values beyond the bound on one side; `bound` is a magnitude. */
  clipping(side: 'low' | 'high', bound: number): number {
    const above = side === 'high' ? this.#positive : this.#negative;
    if (above === undefined) return 0;
    const slot = this.stats.slotOf(bound);
    const error = above.squares[slot]! - 2 * bound * above.sum[slot]! + bound * bound * above.count[slot]!;
    return Math.max(0, error);
  }

  /** Summed squared error of the values from -low to high at the step. */
  rounding(low: number, high: number, step: number): number {
    const half = this.stats.slotOf(step / 2);
    const positive = roundingOf(this.#positive, half, this.stats.slotOf(high), step);
    return this.#negative ? positive + roundingOf(this.#negative, half, this.stats.slotOf(low), step) : positive;
  }

  /**
   * Mean squared error of quantizing to the range by the spec: the grid of its scale and zero point.
   * Where the spec is a part of its type (reduce_range), QuantizeLinear still saturates at the type's
   * bounds, and the clipping is an upper bound.
   */
  error(range: Range, spec: QuantSpec, convention: Convention = 'ort'): QuantizationError {
    const { count } = this.stats;
    if (count === 0) return { rounding: 0, clipping: 0 };
    const { scale, zeroPoint } = paramsOf(range, spec, convention);
    const low = scale * (zeroPoint - spec.qmin);
    const high = scale * (spec.qmax - zeroPoint);
    return {
      rounding: this.rounding(low, high, scale) / count,
      clipping: (this.clipping('low', low) + this.clipping('high', high)) / count,
    };
  }
}

function roundingOf(above: Above, half: number, bound: number, step: number): number {
  const small = Math.min(half, bound);
  const toZero = above.squares[0]! - above.squares[small]!;
  return toZero + ((above.count[small]! - above.count[bound]!) * step * step) / 12;
}

/** As `ErrorModel.error`, for a single prediction. */
export function expectedError(stats: TensorStats, range: Range, spec: QuantSpec): QuantizationError {
  return new ErrorModel(stats).error(range, spec);
}
