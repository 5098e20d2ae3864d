/**
 * `report.json`: what one run did and measured. Every view, the terminal, the diagnostics and CI
 * gates read this; nothing is computed twice.
 */

import type { BackendId, Format, Mode, ObserverId, Recipe } from './recipe';
import type { ReasonCode } from './reasons';
import type { Stage } from './progress';

/** Raised whenever a reader of the former version would misread a report. */
export const REPORT_VERSION = 1;

/** `quantized`: the runtime runs it in int8. `float`: on purpose. `fallback`: was to be int8 but is not. */
export type Status = 'quantized' | 'float' | 'fallback';

/**
 * Error of one tensor against fp32, pooled over all samples.
 * `sqnr` = 10·log10(Σx² / Σ(x−y)²) in dB; `null` means no error at all (infinite dB).
 */
export interface ErrorMeasure {
  readonly sqnr: number | null;
  /** Σxy / √(Σx²·Σy²) over all samples. */
  readonly cosine: number;
  /** The sample with the lowest SQNR of its own. */
  readonly worst: { readonly sample: string; readonly sqnr: number | null };
}

export interface QuantParams {
  readonly type: string;
  /** One entry per tensor, or one per channel. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  /** Channel axis where per channel. */
  readonly axis: number | null;
}

export interface TensorReport {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  readonly role: 'input' | 'weight' | 'bias' | 'output';
  /** What calibration (or the weight itself) spans; `null` where nothing was measured. */
  readonly observed: { readonly min: number; readonly max: number } | null;
  /** What the observer chose. */
  readonly range: { readonly min: number; readonly max: number } | null;
  readonly quantization: QuantParams | null;
}

export interface LayerReport {
  /** Name of the layer's main node; what selectors match. */
  readonly name: string;
  readonly op: string;
  /** Operators that the runtime runs as one with the main node, in order. */
  readonly fused: readonly string[];
  /** Names of all nodes of the layer. */
  readonly nodes: readonly string[];
  /** Slash-separated path of the name without its last part; '' at the top. */
  readonly scope: string;
  readonly status: Status;
  readonly reason: ReasonCode | null;
  /** The kernel that really ran (QLinearConv, Conv, …); `null` where the runtime removed or merged it. */
  readonly kernel: string | null;
  /** Time of the layer's kernels in one run, the median of several, int8 and fp32, in microseconds. */
  readonly time: { readonly int8: number | null; readonly fp32: number | null };
  /** Multiply-adds of one inference; 0 for operators without. */
  readonly macs: number;
  /** The layer alone quantized, fed fp32 inputs; `null` where it is not quantized. */
  readonly local: ErrorMeasure | null;
  /** fp32 model against the int8 model at the layer's output. */
  readonly accumulated: ErrorMeasure | null;
  /** Share of pair sums that the target's kernel clips (u8×s8 in 16 bits); `null` where it clips none by design. */
  readonly saturation: number | null;
  readonly tensors: readonly TensorReport[];
}

export interface AccuracyReport {
  readonly samples: number;
  /** Percent; `null` without labels. */
  readonly top1: { readonly fp32: number; readonly int8: number } | null;
  readonly top5: { readonly fp32: number; readonly int8: number } | null;
  /** Percent of samples whose top-1 class is the same in both models; `null` where no output is a classification. */
  readonly agreement: number | null;
}

export interface Report {
  readonly version: typeof REPORT_VERSION;
  readonly tool: string;
  readonly created: string;
  readonly framework: 'onnx';
  readonly model: {
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
    readonly opset: number;
    readonly producer: string;
    readonly inputs: readonly {
      readonly name: string;
      readonly type: string;
      readonly shape: readonly (number | string)[];
    }[];
    readonly outputs: readonly {
      readonly name: string;
      readonly type: string;
      readonly shape: readonly (number | string)[];
    }[];
  };
  readonly quantized: { readonly path: string; readonly bytes: number; readonly opset: number } | null;
  readonly recipe: Recipe;
  readonly backend: BackendId;
  readonly mode: Mode;
  readonly format: Format;
  readonly environment: {
    readonly runtime: string;
    readonly cpu: string;
    /** Whether u8×s8 products saturate on the CPU of this run, as measured. */
    readonly saturates: boolean;
    readonly isa: string;
    readonly threads: number;
    readonly platform: string;
  };
  readonly normalization: readonly {
    readonly id: string;
    readonly description: string;
    readonly nodes: readonly string[];
  }[];
  readonly calibration: {
    readonly data: string;
    readonly synthetic: boolean;
    readonly samples: number;
    readonly observer: ObserverId;
    readonly skipped: readonly { readonly item: string; readonly reason: string }[];
    /** Taken from the cache of an earlier run with the same model, data and preprocessing. */
    readonly cached: boolean;
  } | null;
  readonly layers: readonly LayerReport[];
  readonly counts: Readonly<Record<Status, number>>;
  readonly outputs: readonly { readonly name: string; readonly error: ErrorMeasure }[];
  readonly accuracy: AccuracyReport | null;
  /** Float tensors that could not be compared, each with why. */
  readonly unmatched: readonly { readonly tensor: string; readonly why: string }[];
  /** Number of float tensors of the fp32 model that were compared. */
  readonly matched: number;
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
  readonly warnings: readonly string[];
}
