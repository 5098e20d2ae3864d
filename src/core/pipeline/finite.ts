/** NaN and infinities where a quantized model has no integer for them. */

import type { TensorStats } from '../calibrate/histogram';
import { toFloat32 } from '../tensor';
import type { Prepared } from './prepare';

const NAMED = 3;

/** One sentence each for weights and for what calibration saw. */
export function finiteWarnings(
  { plan, graph }: Pick<Prepared, 'plan' | 'graph'>,
  stats: ReadonlyMap<string, TensorStats>,
): string[] {
  const broken = plan.layers.filter(({ quantize, weight }) => {
    const constant = quantize && weight !== null ? graph.constant(weight.tensor) : undefined;
    return constant !== undefined && !toFloat32(constant).every(Number.isFinite);
  });
  const odd = [...stats].filter(([, { nonFinite }]) => nonFinite > 0).map(([name]) => name);
  return [
    ...(broken.length === 0
      ? []
      : [`Weights of ${listed(broken.map(({ name }) => name))} hold NaN or infinities: the model is damaged.`]),
    ...(odd.length === 0
      ? []
      : [`Calibration saw NaN or infinities in ${listed(odd)}; their ranges are those of the other values.`]),
  ];
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names
    .slice(0, NAMED)
    .map((name) => `"${name}"`)
    .join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
