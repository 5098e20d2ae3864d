/** What the layer view shows of one selected layer beyond its row in the report; computed by the engine on demand. */

import type { ObserverId } from './recipe';
import type { QuantParams } from './report';

/** A histogram of equal bins over [min, max]. */
export interface HistogramView {
  readonly min: number;
  readonly max: number;
  /** Number of measured values in each bin. */
  readonly counts: Float64Array;
  /** All measured values. */
  readonly total: number;
}

export interface ActivationDetails {
  readonly tensor: string;
  readonly role: 'input' | 'output';
  readonly histogram: HistogramView;
  /** The range that each observer would choose from the same measurement. */
  readonly observers: Readonly<Record<ObserverId, { readonly min: number; readonly max: number }>>;
  /** The observer in use, and its range; `null` where the tensor is not quantized. */
  readonly inUse: { readonly observer: ObserverId; readonly min: number; readonly max: number } | null;
  /** Scale and zero point in the int8 model: the grid. */
  readonly quantization: QuantParams | null;
}

export interface WeightDetails {
  readonly tensor: string;
  readonly shape: readonly number[];
  /** The channel axis. */
  readonly axis: number;
  /** Per channel, in the model's order. */
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly quantization: QuantParams | null;
  /** Channels whose largest magnitude exceeds ten times the median of all channels, largest first. */
  readonly outliers: readonly number[];
  /** Channels that are all zero. */
  readonly dead: readonly number[];
}

export interface LayerDetails {
  readonly layer: string;
  readonly activations: readonly ActivationDetails[];
  readonly weights: readonly WeightDetails[];
  /** Why something is missing, in sentences for people: `The calibration cache was deleted; run again.` */
  readonly notes: readonly string[];
}

export interface DetailsInput {
  /** `report.json` of the run; its folder holds the calibration and the int8 model. */
  readonly report: string;
  readonly layer: string;
}
