/**
 * What the layer view shows, as its host tells it: a run as a whole, the rows of its layers, and one layer. Times are
 * microseconds, errors decibels of SQNR.
 */

import type { Decibels } from './measured';
import type { CauseKind } from './causes';
import type { Timing } from './findings';
import type { FixKind } from './fixes';
import type { Judgement } from './judgement';
import type { Price, Prices } from './price';
import type { ReasonCode } from './reasons';
import type { BackendId, ObserverId } from './recipe';
import type { AccuracyReport, LatencyReport, Report, Status, TensorReport } from './report';
import type { SlowCause } from './slowness';
import type { ErrorSplit, SweepCost, Verdict } from './verdicts';

/** `exact`: no error at all, infinite dB, which JSON cannot say. `null`: not measured. */

/** Figures of one run as a whole. */
export interface RunFacts {
  /** ISO date. */
  readonly created: string;
  readonly backend: BackendId;
  readonly mode: Report['mode'];
  readonly calibration: {
    readonly observer: ObserverId;
    readonly samples: number;
    readonly synthetic: boolean;
  } | null;
  readonly accuracy: AccuracyReport | null;
  /** Where nothing says that there are classes: outputs that have the shape of their scores. */
  readonly maybeClasses: readonly string[];
  readonly bytes: { readonly fp32: number; readonly int8: number | null };
  /** Median of one inference in milliseconds. */
  readonly latency: Omit<LatencyReport, 'runs'> | null;
  readonly counts: Readonly<Record<Status, number>>;
  /** Nodes that are no layers, for they compute with shapes and constants alone. */
  readonly shapeComputations: number;
  /** The output of the model, or the part of one, with the lowest SQNR, and all parts that are measured apart. */
  readonly output: {
    readonly name: string;
    readonly sqnr: Decibels;
    readonly parts: readonly { readonly name: string; readonly sqnr: Decibels }[];
  } | null;
}

export interface ReportFacts {
  /** Names this report together with the one it is compared with; rows and layers are asked for by it. */
  readonly id: string;
  /** How many rows there are. */
  readonly layers: number;
  readonly run: RunFacts;
  /** The run it is compared with: the one before it, or one that was chosen. */
  readonly base: (RunFacts & { readonly relation: 'previous' | 'chosen' }) | null;
  readonly warnings: readonly string[];
  /** Where the error comes from; `null` as long as nobody has asked. */
  readonly culprits: CulpritsFacts | null;
  /** What can be done about the model as a whole. */
  readonly fixes: readonly FixFacts[];
  /** What was tried; `null` as long as nobody has asked. */
  readonly prices: PricesFacts | null;
  readonly speed: SpeedFacts;
  /** Whether causes, prices and timings can be asked for: changes are tried on ONNX models alone. */
  readonly asks: boolean;
}

export interface CulpritsFacts {
  readonly samples: number;
  /** Of the int8 model at the worst part of its outputs, on these samples. */
  readonly sqnr: Decibels;
  readonly cost: SweepCost;
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Of the model as a whole. */
  readonly causes: readonly CauseFacts[];
}

export interface CauseFacts {
  readonly kind: CauseKind;
  readonly sentence: string;
  /** The sample to blame; it can be opened. */
  readonly sample: string | null;
}

export interface PricesFacts {
  readonly samples: number;
  /** `null` as long as nothing was measured. */
  readonly start: Prices['start'] | null;
  /** What brings most for what it costs first; while fixes are tried, in that order. */
  readonly fixes: readonly PricedFacts[];
  /** How many more would have been tried, had there been time. */
  readonly left: number;
}

/** A fix with what is known of its price. */
export interface TriedFacts {
  /** The same for the same change; by it a fix is applied, since it may move in a list that somebody looks at. */
  readonly key: string;
  readonly title: string;
  readonly judgement: Judgement;
  /** Whether it is tried in the background, now or soon. */
  readonly planned: boolean;
  /** `null` as long as it was not tried. */
  readonly tag: PriceTag | null;
}

export interface PricedFacts extends TriedFacts {
  /** `null` for a fix of the model as a whole. */
  readonly layer: number | null;
  /** Whether it is still among the fixes of that layer. */
  readonly offered: boolean;
}

/** What was measured of a fix, or why it could not be. */
export interface PriceTag {
  readonly price: Price | null;
  readonly why: string | null;
}

/** Where the time goes, and why int8 is not faster. */
export interface SpeedFacts {
  /** Microseconds of kernels of no layer; `null` where that was not measured. */
  readonly conversions: { readonly int8: number | null; readonly fp32: number | null };
  /** On one thread and on more; empty as long as nobody has asked. */
  readonly timings: readonly Timing[];
  readonly findings: readonly SlowFacts[];
}

export interface SlowFacts {
  readonly cause: SlowCause;
  readonly message: string;
  readonly fix: string;
  /** Layers that it concerns, the first few of them. */
  readonly layers: readonly number[];
  /** How many they are. */
  readonly concerned: number;
}

/** What is known of layers without a measurement, as columns of equal length. */
export interface LayerColumns {
  readonly name: readonly string[];
  /** With what is fused: `Conv+Relu`. */
  readonly op: readonly string[];
  readonly scope: readonly string[];
  readonly status: readonly Status[];
  readonly kernel: readonly (string | null)[];
  readonly reason: readonly (ReasonCode | null)[];
  readonly macs: readonly number[];
}

/** Errors and times of layers in one run. */
export interface MeasureColumns {
  readonly local: readonly Decibels[];
  readonly accumulated: readonly Decibels[];
  readonly int8: readonly (number | null)[];
  readonly fp32: readonly (number | null)[];
}

/** Rows of one page; row `i` is layer `start + i` in the order of the graph. */
export interface RowPage extends LayerColumns, MeasureColumns {
  readonly start: number;
  /** Where the error comes from; `null` as long as nobody has asked, `null` entries for layers not in int8. */
  readonly blame: {
    readonly verdict: readonly (Verdict | null)[];
    /** Percent of the error at the outputs. */
    readonly share: readonly (number | null)[];
    /** At the model's outputs, with this layer alone in int8. */
    readonly only: readonly Decibels[];
  } | null;
  /** The same layers in the run it is compared with, by name; `null` entries where it has no such layer. */
  readonly base: (MeasureColumns & { readonly status: readonly (Status | null)[] }) | null;
}

/** Layers of one page. */
export const PAGE_ROWS = 1_000;

/** Quantization of a tensor; scale and zero point from the smallest to the largest channel. */
export interface TensorFacts extends Pick<TensorReport, 'name' | 'shape' | 'role' | 'observed' | 'range'> {
  readonly quantization: {
    readonly type: string;
    /** Number of scales: 1 per tensor, otherwise one per channel. */
    readonly channels: number;
    readonly scale: readonly [least: number, most: number];
    readonly zeroPoint: readonly [least: number, most: number];
  } | null;
}

export interface FixFacts extends TriedFacts {
  readonly kind: FixKind;
  readonly detail: string;
  readonly preferred: boolean;
}

/** What makes a layer what it is called. */
export interface BlameFacts {
  readonly verdict: Verdict;
  readonly why: string;
  readonly share: number;
  readonly only: Decibels;
  /** At the model's outputs, with this layer alone in float. */
  readonly without: Decibels;
  readonly split: ErrorSplit | null;
  readonly causes: readonly CauseFacts[];
}

/** What the report knows of one layer beyond its row. */
export interface LayerFacts {
  readonly layer: number;
  readonly nodes: readonly string[];
  readonly worst: { readonly sample: string; readonly sqnr: Decibels } | null;
  readonly saturation: number | null;
  readonly tensors: readonly TensorFacts[];
  readonly fixes: readonly FixFacts[];
  readonly blame: BlameFacts | null;
  /** Lines of the user's Python, as `net.py:12`; the first is where the layer is built, if that is known. */
  readonly places: readonly { readonly kind: SourceKind; readonly text: string }[];
}

/** Of a line of source: it builds the layer's module, or calls it. */
export const SOURCE_KINDS = ['built', 'called'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

export interface ActivationView {
  readonly tensor: string;
  readonly role: 'input' | 'output';
  /** Bins of equal width over [min, max]. */
  readonly histogram: { readonly min: number; readonly max: number; readonly counts: readonly number[] };
  /** What each observer would choose, with the share of values that it clips. */
  readonly observers: readonly {
    readonly observer: ObserverId;
    readonly min: number;
    readonly max: number;
    readonly clipped: number;
  }[];
  readonly inUse: { readonly observer: ObserverId; readonly min: number; readonly max: number } | null;
  /** value = scale · (integer − zeroPoint), integers from `lowest` to `highest`. */
  readonly grid: {
    readonly scale: number;
    readonly zeroPoint: number;
    readonly lowest: number;
    readonly highest: number;
    readonly type: string;
  } | null;
}

export interface WeightView {
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Per channel. */
  readonly min: readonly number[];
  readonly max: readonly number[];
  /** Largest magnitude that the integers reach, one for all channels or one for each; `null`: not quantized. */
  readonly reach: readonly number[] | null;
  readonly outliers: readonly number[];
  readonly dead: readonly number[];
}

/** What calibration and the weights tell of one layer; computed by the engine. */
export interface LayerMeasurements {
  readonly layer: number;
  readonly activations: readonly ActivationView[];
  readonly weights: readonly WeightView[];
  readonly notes: readonly string[];
}
