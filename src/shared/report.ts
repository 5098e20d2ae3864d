/**
 * `report.json`: what one run did and measured. Every view, the terminal, the diagnostics and CI
 * gates read this; nothing is computed twice.
 */

import type { Measured } from './measured';
import type { BackendId, Format, Mode, ObserverId, Recipe, TorchMode } from './recipe';
import type { ReasonCode } from './reasons';
import type { MeasuringStage } from './pending';
import type { Stage } from './progress';
import type { Timed } from './speed';

/** Raised whenever a reader of the former version would misread a report; a new field is optional instead. */
export const REPORT_VERSION = 2;
/** Those that are read: what an older one says means the same. */
export const REPORT_VERSIONS = [1, REPORT_VERSION] as const;

/** `quantized`: the runtime runs it in int8. `float`: on purpose. `fallback`: was to be int8 but is not. */
export type Status = 'quantized' | 'float' | 'fallback';

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
  /** How the range was found; only for activations that are integers in the int8 model. */
  readonly chosenBy?: RangeChoice;
}

export interface RangeChoice {
  /** `null` for a range known beforehand, whatever the data. */
  readonly observer: ObserverId | null;
  /** For the percentile observer. */
  readonly percentile: number;
  /** The integers that the range is mapped to. */
  readonly qmin: number;
  readonly qmax: number;
  readonly symmetric: boolean;
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
  /** How it is quantized, where that is not the report's mode. */
  readonly mode?: Mode;
  /** The kernel that really ran (QLinearConv, Conv, …); `null` where the runtime removed or merged it. */
  readonly kernel: string | null;
  /** Time of the layer's kernels in one run, the median of several, int8 and fp32, in microseconds. */
  readonly time: { readonly int8: number | null; readonly fp32: number | null };
  /** Multiply-adds of one inference; 0 for operators without. */
  readonly macs: number;
  /** The layer alone quantized, fed fp32 inputs; `null` where it is not quantized. */
  readonly local: Measured | null;
  /** fp32 model against the int8 model at the layer's output. */
  readonly accumulated: Measured | null;
  /** Share of pair sums that the target's kernel clips (u8×s8 in 16 bits); `null` where it clips none by design. */
  readonly saturation: number | null;
  readonly tensors: readonly TensorReport[];
  /** Of a fallback for want of a kernel: the backends that have one. */
  readonly alternatives?: readonly BackendId[];
  /** Of a module of PyTorch: the class of one that computes the same and has an int8 kernel. */
  readonly twin?: string;
  /** Where the user's Python calls the layer, and where it builds its module. */
  readonly source?: { readonly called?: SourceLine; readonly built?: SourceLine };
}

export interface SourceLine {
  /** Absolute path. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What stood there in the run, without its indentation: where the file has changed since, the line is found by it. */
  readonly text?: string;
}

/** A part of an output that is measured apart: an input of its last Concat, or channels of another range. */
export interface PartReport {
  /** What the Concat joins there, or which of the ranges. */
  readonly name: string;
  /** As NumPy writes it, `[:, 0:4]`; else how many values. */
  readonly where: string;
  readonly error: Measured;
}

export interface OutputReport {
  readonly name: string;
  /** Over all of its values. */
  readonly error: Measured;
  /** At least two; of an output of one piece left out. */
  readonly parts?: readonly PartReport[];
}

/** How it is known that an output holds the scores of classes: an ArgMax of the model itself, or values that sum to 1. */
export type ClassEvidence = 'labels' | 'recipe' | 'argmax' | 'probabilities';

export interface AccuracyReport {
  /** The output that was read as scores. */
  readonly output?: string;
  readonly because?: ClassEvidence;
  readonly samples: number;
  /** Samples with a label, which top-1 and top-5 are of; left out where all have one, or none. */
  readonly labelled?: number;
  /** Percent; `null` without labels. */
  readonly top1: { readonly fp32: number; readonly int8: number } | null;
  readonly top5: { readonly fp32: number; readonly int8: number } | null;
  /** Percent of samples whose top-1 class is the same in both models; `null` where no sample has classes in fp32. */
  readonly agreement: number | null;
}

/** What the backend could do otherwise, as far as a fix has to know. */
export interface TargetFacts {
  /** Operators whose weights have one scale, whatever the recipe says. */
  readonly perTensorOps: readonly string[];
  /** What 16-bit activations come to: an integer `kernel`, `float` arithmetic between 16-bit tensors, or `none`. */
  readonly activations16: 'kernel' | 'float' | 'none';
  /** How many integers an activation may be. */
  readonly levels: number;
  /** Whether biases are corrected where the recipe does not say. */
  readonly biasCorrection?: boolean;
}

/** One inference on one thread, the median of several, in milliseconds; both models took turns. */
export interface LatencyReport extends Timed {
  readonly threads: 1;
  /** Timed runs of each model. */
  readonly runs: number;
}

/** Of an fp32 model that answers the same sample differently each time. */
export interface RandomReport {
  /** Of one run against another, dB; `null` where sizes or integers differ. */
  readonly sqnr: number | null;
  /** The operators that draw random numbers; empty where none is known. */
  readonly nodes: readonly string[];
  /** Whether both models could be given the same random numbers. */
  readonly repeats: boolean;
}

export interface Report {
  readonly version: (typeof REPORT_VERSIONS)[number];
  readonly tool: string;
  readonly created: string;
  readonly framework: 'onnx' | 'torch';
  readonly model: {
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
    /** 0 for PyTorch. */
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
  readonly quantized: {
    readonly path: string;
    readonly bytes: number;
    readonly opset: number;
    /** Of the model file as it was written: another hash means that file and report are of different runs. */
    readonly sha256?: string;
  } | null;
  readonly recipe: Recipe;
  /** Folder that the paths of the recipe start from, as seen from the folder of the results; `/` between its parts. */
  readonly base?: string;
  readonly backend: BackendId;
  readonly target?: TargetFacts;
  readonly mode: Mode | TorchMode;
  readonly format: Format | 'torchscript' | 'pt2';
  readonly environment: {
    readonly runtime: string;
    readonly cpu: string;
    /** Whether u8×s8 products saturate on the CPU of this run, as measured. */
    readonly saturates: boolean;
    /** Of PyTorch: the engines of this build, each with what its products do on this CPU. */
    readonly engines?: readonly { readonly id: string; readonly saturates: boolean }[];
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
    /** Of the measurements beside the report: another key there means that they are of another run. */
    readonly key?: string;
  } | null;
  readonly layers: readonly LayerReport[];
  /** Of the layers that run a kernel. */
  readonly counts: Readonly<Record<Status, number>>;
  /** Nodes that compute with shapes and constants alone, and so are no layers. */
  readonly shapeComputations?: number;
  readonly outputs: readonly OutputReport[];
  readonly accuracy: AccuracyReport | null;
  /** Where nothing says that there are classes: outputs that have the shape of their scores. */
  readonly maybeClasses?: readonly string[];
  /** Left out where fp32 answers alike, or was not asked. */
  readonly random?: RandomReport;
  /** `null` where one run takes too long to measure several, or there was nothing to run. */
  readonly latency?: LatencyReport | null;
  /** Microseconds of one run in kernels of no layer: changes between float, int8 and layouts. */
  readonly conversions?: { readonly int8: number | null; readonly fp32: number | null };
  /** Float tensors that could not be compared, each with why. */
  readonly unmatched: readonly { readonly tensor: string; readonly why: string }[];
  /** Number of float tensors of the fp32 model that were compared. */
  readonly matched: number;
  readonly seconds: Readonly<Partial<Record<Stage, number>>>;
  /** What the run has yet to measure, or had when it was ended; left out once it has measured all. */
  readonly pending?: readonly MeasuringStage[];
  readonly warnings: readonly string[];
}
