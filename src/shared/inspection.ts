/** What a look at a model tells without any data: its graph, its layers, and what a backend would do with each. */

import type { BackendId, Preprocess } from './recipe';
import { REASONS, type ReasonCode } from './reasons';
import type { LayerReport, Report, Status } from './report';

/** What the plan wants; whether the runtime obeys is only known after a quantization. */
export type Decision = 'quantize' | 'float';

export interface TensorShape {
  readonly name: string;
  readonly type: string;
  /** A dimension that is not fixed is a symbolic name. */
  readonly shape: readonly (number | string)[];
}

export interface InspectedLayer {
  /** Name of the layer's main node; what selectors match. */
  readonly name: string;
  readonly op: string;
  /** Operators that the runtime runs as one with the main node, in order. */
  readonly fused: readonly string[];
  /** Names of all nodes of the layer. */
  readonly nodes: readonly string[];
  /** Slash-separated path of the name without its last part; '' at the top. */
  readonly scope: string;
  readonly decision: Decision;
  readonly reason: ReasonCode | null;
  /** Multiply-adds of one inference; 0 for operators without. */
  readonly macs: number;
  /** Activations only, not the weights. */
  readonly inputs: readonly TensorShape[];
  readonly outputs: readonly TensorShape[];
  readonly source?: LayerReport['source'];
}

/** What the report will call the layer, if the runtime obeys the plan. */
export function plannedStatus({ reason }: InspectedLayer): Status {
  return reason === null ? 'quantized' : REASONS[reason].status;
}

/** What the inputs of a model suggest, with the sentence that explains it. */
export interface PreprocessGuess {
  readonly preprocess: Preprocess;
  readonly why: string;
}

export interface Inspection {
  readonly model: Report['model'];
  readonly backend: BackendId;
  readonly guess: PreprocessGuess;
  /** This machine, as far as it decides how int8 does here. */
  readonly machine: {
    readonly cpu: string;
    readonly isa: string;
    readonly saturates: boolean;
    /** Of PyTorch: whose kernels this build has. */
    readonly engines?: readonly string[];
  };
  readonly layers: readonly InspectedLayer[];
  readonly counts: Readonly<Record<Decision, number>>;
  /** Nodes that compute with shapes and constants alone, and so are no layers. */
  readonly shapeComputations?: number;
  readonly normalization: Report['normalization'];
  readonly warnings: readonly string[];
}
