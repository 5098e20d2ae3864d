/** What the engine measured of a layer, as the layer view draws it. Pure. */

import type { ActivationDetails, HistogramView, LayerDetails, WeightDetails } from '../../shared/details';
import { OBSERVERS } from '../../shared/recipeValues';
import type { QuantParams } from '../../shared/report';
import type { ActivationView, LayerMeasurements, WeightView } from '../../shared/viewFacts';

/** More bins than a pane has pixels show nothing. */
const MOST_BINS = 256;

const INTEGERS: Readonly<Record<string, readonly [lowest: number, highest: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint4: [0, 15],
  int4: [-8, 7],
};

export function measurementsOf(details: LayerDetails, layer: number): LayerMeasurements {
  return {
    layer,
    activations: details.activations.map(activationView),
    weights: details.weights.map(weightView),
    notes: details.notes,
  };
}

function activationView({
  tensor,
  role,
  histogram,
  observers,
  inUse,
  quantization,
}: ActivationDetails): ActivationView {
  return {
    tensor,
    role,
    histogram: { min: histogram.min, max: histogram.max, counts: rebin(histogram.counts, MOST_BINS) },
    observers: OBSERVERS.map((observer) => ({
      observer,
      min: observers[observer].min,
      max: observers[observer].max,
      clipped: clippedShare(histogram, observers[observer]),
    })),
    inUse,
    grid: gridOf(quantization),
  };
}

function gridOf(quantization: QuantParams | null): ActivationView['grid'] {
  if (quantization === null) return null;
  const { type, scale, zeroPoint } = quantization;
  const integers = INTEGERS[type];
  const [step, zero] = [scale[0], zeroPoint[0]];
  if (integers === undefined || step === undefined || zero === undefined || scale.length > 1) return null;
  return { scale: step, zeroPoint: zero, lowest: integers[0], highest: integers[1], type };
}

function weightView({ tensor, shape, min, max, quantization, outliers, dead }: WeightDetails): WeightView {
  const integers = quantization === null ? undefined : INTEGERS[quantization.type];
  return {
    tensor,
    shape,
    min: Array.from(min),
    max: Array.from(max),
    reach:
      quantization === null || integers === undefined
        ? null
        : quantization.scale.map((scale, i) => scale * (integers[1] - (quantization.zeroPoint[i] ?? 0))),
    outliers,
    dead,
  };
}

/** Neighbouring bins added up until there are no more than `most`. */
export function rebin(counts: Float64Array, most: number): number[] {
  const together = Math.ceil(counts.length / most);
  const bins = new Array<number>(Math.ceil(counts.length / together)).fill(0);
  counts.forEach((count, i) => {
    bins[Math.floor(i / together)]! += count;
  });
  return bins;
}

/** Share of the values outside of a range; a bin that it cuts counts in proportion. */
export function clippedShare({ min, max, counts, total }: HistogramView, range: { min: number; max: number }): number {
  if (total === 0 || counts.length === 0) return 0;
  const width = (max - min) / counts.length;
  let kept = 0;
  counts.forEach((count, i) => {
    const [from, to] = [min + i * width, min + (i + 1) * width];
    const inside = Math.min(to, range.max) - Math.max(from, range.min);
    kept += count * (width === 0 ? Number(range.min <= min && min <= range.max) : Math.max(0, inside) / width);
  });
  // Rounding of the bins' edges clips nothing.
  const share = 1 - kept / total;
  return share < 1e-9 ? 0 : share;
}
