import { rangeOf } from '../calibrate/observers';
import type { TensorStats } from '../calibrate/histogram';
import type { Range } from '../calibrate/qparams';
import type { Prepared } from './prepare';

export interface Ranges {
  readonly ranges: ReadonlyMap<string, Range>;
  /** Tensors of which calibration saw no finite value. */
  readonly dead: readonly string[];
}

/** What the observers of the plan make of the statistics. */
export function rangesOf({ plan }: Pick<Prepared, 'plan'>, stats: ReadonlyMap<string, TensorStats>): Ranges {
  const ranges = new Map<string, Range>();
  const dead: string[] = [];
  for (const activation of plan.activations.values()) {
    const measured = stats.get(activation.tensor);
    if (measured === undefined) continue;
    if (measured.count === 0) dead.push(activation.tensor);
    const { observer, percentile, qmin, qmax, symmetric, type } = activation;
    const spec = { bits: type.endsWith('16') ? 16 : 8, qmin, qmax, symmetric };
    ranges.set(activation.tensor, rangeOf(measured, { observer, percentile }, spec));
  }
  return { ranges, dead };
}
