/** Observers: what turns one tensor's statistics into a range. All read the same statistics, no second pass. */

import { OBSERVERS, type ObserverId } from '../../shared/recipe';
import { entropyThreshold } from './entropy';
import { ErrorModel } from './errorModel';
import type { TensorStats } from './histogram';
import { SIDE } from './kernel';
import { mseRange } from './mse';
import type { QuantSpec, Range } from './qparams';

export const DEFAULT_PERCENTILE = 99.999;

export interface ObserverOptions {
  readonly observer: ObserverId;
  /** Percent, above 50 to 100; default 99.999. */
  readonly percentile?: number;
}

/** ±bound within what was seen. */
const cutAt = ({ min, max }: TensorStats, bound: number): Range => ({
  min: Math.max(min, -bound),
  max: Math.min(max, bound),
});

/** Where in its slot the value of a rank lies, if the values of the slot were spread evenly over it. */
const inside = (edges: Float64Array, slot: number, fraction: number): number =>
  edges[slot]! + (edges[slot + 1]! - edges[slot]!) * fraction;

/** The magnitude that `rank` values do not exceed, of those counted per slot. */
function magnitudeAt(edges: Float64Array, countOf: (slot: number) => number, rank: number): number {
  let seen = countOf(0);
  if (seen >= rank) return 0;
  for (let slot = 1; slot < SIDE; slot++) {
    const count = countOf(slot);
    if (count > 0 && seen + count >= rank) return inside(edges, slot, (rank - seen) / count);
    seen += count;
  }
  return Infinity;
}

/** The bound that at most `cut` values of one sign exceed; 0 where they are fewer than that. */
function boundAt(edges: Float64Array, counts: ArrayLike<number>, cut: number): number {
  let above = 0;
  for (let slot = SIDE - 1; slot > 0; slot--) {
    const count = counts[slot]!;
    if (count > 0 && above + count > cut) return inside(edges, slot, 1 - (cut - above) / count);
    above += count;
  }
  return 0;
}

/**
 * Symmetric spec: the |x| percentile on both sides (onnxruntime's PercentileCalibrater with
 * symmetric=True, its default). Otherwise both tails lose (100 - p) / 2 percent (the same with
 * symmetric=False), but values of one sign lose all of it at the far
 * end: zero stays in the range anyway.
 */
function percentileRange(stats: TensorStats, percentile: number, spec: QuantSpec): Range {
  const { count, min, max } = stats;
  if (percentile >= 100) return { min, max };
  const { edges, positive, negative } = stats.bins();
  if (spec.symmetric || min >= 0 || max <= 0) {
    const countOf = (slot: number): number => positive[slot]! + (negative?.[slot] ?? 0);
    return cutAt(stats, magnitudeAt(edges, countOf, (count * percentile) / 100));
  }
  const tail = (count * (100 - percentile)) / 200;
  return { min: -boundAt(edges, negative ?? [], tail), max: boundAt(edges, positive, tail) };
}

/** Levels that one sign gets: all of them where the other sign does not occur and the zero point may move. */
function entropyRange(stats: TensorStats, spec: QuantSpec): Range {
  const levels = spec.qmax - spec.qmin + 1;
  const oneSided = stats.min >= 0 || stats.max <= 0;
  return cutAt(stats, entropyThreshold(stats, oneSided && !spec.symmetric ? levels : Math.floor(levels / 2)));
}

/** `model` is made only where an observer needs it. */
const RANGES: Record<
  ObserverId,
  (model: () => ErrorModel, stats: TensorStats, options: ObserverOptions, spec: QuantSpec) => Range
> = {
  'min-max': (_, { min, max }) => ({ min, max }),
  'moving-average': (_, { movingMin, movingMax }) => ({ min: movingMin, max: movingMax }),
  percentile: (_, stats, options, spec) => percentileRange(stats, options.percentile ?? DEFAULT_PERCENTILE, spec),
  entropy: (_, stats, __, spec) => entropyRange(stats, spec),
  mse: (model, _, __, spec) => mseRange(model(), spec),
};

function observed(model: () => ErrorModel, stats: TensorStats, options: ObserverOptions, spec: QuantSpec): Range {
  if (stats.count === 0) return { min: 0, max: 0 };
  const limit = { min: Math.min(0, stats.min), max: Math.max(0, stats.max) };
  const found = RANGES[options.observer](model, stats, options, spec);
  const range = {
    min: Math.min(0, Math.max(limit.min, found.min)) + 0,
    max: Math.max(0, Math.min(limit.max, found.max)) + 0,
  };
  return range.min === 0 && range.max === 0 ? limit : range;
}

/**
 * The range an observer gives. It contains 0 and lies within [min, max] ∪ {0}. Without any finite
 * value, or where all are 0, it is [0, 0]. An observer that would cut everything away (more than the
 * percentile is zero) gives the range of min-max.
 */
export function rangeOf(stats: TensorStats, options: ObserverOptions, spec: QuantSpec): Range {
  return observed(() => new ErrorModel(stats), stats, options, spec);
}

/** The ranges of all observers. */
export function allRanges(
  stats: TensorStats,
  spec: QuantSpec,
  percentile = DEFAULT_PERCENTILE,
): Record<ObserverId, Range> {
  const ranges = OBSERVERS.map((observer) => [observer, rangeOf(stats, { observer, percentile }, spec)] as const);
  return Object.fromEntries(ranges) as Record<ObserverId, Range>;
}
