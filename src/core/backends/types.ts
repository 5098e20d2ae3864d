/** What a backend is: a target's rules as data. Each rule in the tables beside this file names its source. */

import type { ReasonCode } from '../../shared/reasons';
import type { TargetFacts } from '../../shared/report';
import type { ActivationType, BackendId, ObserverId, WeightType } from '../../shared/recipe';
import type { OpKind } from '../plan/types';

/** A condition on one node that the table cannot say by operator type alone; see plan/conditions.ts. */
export type Condition =
  | 'constant-factor'
  | 'constant-weight'
  | 'constant-bias'
  | 'gemm-plain'
  | 'resize-nearest'
  | 'static-shape'
  | 'two-dimensional'
  | 'enough-channels'
  | 'constant-recurrence'
  | 'time-major';

export interface OpRule {
  readonly kind: OpKind;
  /** Which inputs are activations; the others are weights, biases, shapes. Default: the first. */
  readonly activations?: readonly number[] | 'all';
  /** Input and channel axis of the weight. `gemm`: 0 where transB, else 1. `last`: the last axis. */
  readonly weight?: { readonly input: number; readonly axis: number | 'gemm' | 'last' | null };
  /** Input of the second weight of a recurrent layer, by which its own state is multiplied; axis as of the first. */
  readonly recurrence?: number;
  readonly bias?: number;
  /** The int8 kernel always writes integers (Conv); others may end in float where only float reads on. */
  readonly integerOutput?: boolean;
  readonly conditions?: readonly Condition[];
  /** Known range of the output, whatever the data. */
  readonly outputRange?: { readonly min: number; readonly max: number };
  /** The backend's weights for this operator stay per tensor. */
  readonly perTensorWeight?: boolean;
}

export interface Backend {
  readonly id: BackendId;
  readonly title: string;
  /** One sentence: where these rules come from. */
  readonly source: string;
  readonly activations: {
    readonly type: ActivationType;
    readonly symmetric: boolean;
    readonly qmin: number;
    readonly qmax: number;
  };
  readonly weights: {
    readonly type: WeightType;
    readonly symmetric: boolean;
    readonly qmin: number;
    readonly qmax: number;
    readonly granularity: 'per-channel' | 'per-tensor';
  };
  /** PyTorch divides a symmetric range by 127.5, onnxruntime by 127: scales differ by 0.4 %. */
  readonly convention: 'ort' | 'torch';
  readonly observer: ObserverId;
  /** Whether biases take back the mean error of rounded weights; PyTorch's converters do not. */
  readonly biasCorrection: boolean;
  readonly ops: Readonly<Record<string, OpRule>>;
  /** Operators with an int8 kernel that costs more accuracy than it gains time. */
  readonly keepFloat: readonly string[];
  /** Activations that disappear into the quantization of the output before them. */
  readonly foldable: readonly string[];
  /** What activations of 16 bits come to: see the report's {@link TargetFacts}. */
  readonly activations16: TargetFacts['activations16'];
  /** Whether layers run on this machine's onnxruntime, so that the kernels read off it are the target's. */
  readonly runsHere: boolean;
  /** The reason given for operators in neither table. */
  readonly otherwise: ReasonCode;
}
