/**
 * The plan: for every layer whether it is quantized and why not, for every tensor how. Made once
 * from graph, backend and recipe; convert only obeys it.
 */

import type { ReasonCode } from '../../shared/reasons';
import type { ActivationType, Format, Mode, ObserverId, WeightType } from '../../shared/recipe';
import type { NodeProto } from '../onnx/generated/onnx_pb';

/**
 * compute: multiplies by weights (Conv, MatMul, Gemm). cheap: elementwise or pooling, worth
 * quantizing only between int8 neighbours. move: changes no value, so input and output share one
 * scale. none: everything else.
 */
export type OpKind = 'compute' | 'cheap' | 'move' | 'none';

/** How the values of an activation tensor become integers. */
export interface ActivationPlan {
  readonly tensor: string;
  readonly type: ActivationType;
  readonly symmetric: boolean;
  /** Integers used; narrower than the type where the backend reduces the range. */
  readonly qmin: number;
  readonly qmax: number;
  readonly observer: ObserverId;
  readonly percentile: number;
  /** Tensors of one group share scale and zero point; the group is named by its first tensor. */
  readonly group: string;
  /** A range known beforehand (Softmax and Sigmoid end at 1), which calibration does not change. */
  readonly fixedRange?: { readonly min: number; readonly max: number };
}

/** How a constant weight becomes integers. */
export interface WeightPlan {
  readonly tensor: string;
  /** Which input of the main node it is. */
  readonly input: number;
  readonly type: WeightType;
  readonly symmetric: boolean;
  readonly qmin: number;
  readonly qmax: number;
  /** Channel axis, or `null` per tensor. */
  readonly axis: number | null;
  /**
   * How products are kept inside the 16 bits of `vpmaddubsw`: `none`; `pairs` enlarges the scale of
   * just those channels in which two neighbouring weights could overflow together.
   */
  readonly saturation: 'none' | 'pairs';
}

export interface PlannedLayer {
  /** Name of the main node. */
  readonly name: string;
  readonly op: string;
  readonly kind: OpKind;
  readonly node: NodeProto;
  /** Nodes behind the main node that the int8 kernel includes (the Add of a bias, Relu, Clip), in order. */
  readonly fused: readonly NodeProto[];
  readonly quantize: boolean;
  /** How it is quantized, or would be. */
  readonly mode: Mode;
  readonly reason: ReasonCode | null;
  /** Activation tensors that the layer reads as integers of a scale known beforehand; none but in static mode. */
  readonly inputs: readonly string[];
  /** The layer's outputs, after what is fused. */
  readonly outputs: readonly string[];
  readonly weight: WeightPlan | null;
  /** The second weight of a recurrent layer. */
  readonly recurrence: WeightPlan | null;
  /** Name of the constant bias, quantized to int32 with the scale of input times weight. */
  readonly bias: string | null;
  /**
   * Relu and Clip that read its float output, to be written as Max and Min: onnxruntime takes them for the end of an
   * int8 layer, finds no quantizer behind them and leaves the layer in float (qdq_selectors.cc, redundant_clip_node).
   */
  readonly apart: readonly NodeProto[];
}

/**
 * What a plan gives up for a layer that the runtime did not run in int8 as planned. `bias`: the Add behind a product
 * belongs to it, though the shapes do not tell. A reason: the layer stays in float.
 */
export type Concession = 'bias' | Extract<ReasonCode, 'runtime-not-fused' | 'runtime-rejected'>;

/** By name of the layer. */
export type Concessions = ReadonlyMap<string, Concession>;

export interface Plan {
  /** Of the recipe, and of every layer without one of its own. */
  readonly mode: Mode;
  readonly format: Format;
  /** Every node of the main graph that computes with data is in exactly one layer; graph order. */
  readonly layers: readonly PlannedLayer[];
  /** How many nodes follow from shapes and constants alone, and so are no layers. */
  readonly shapeComputations: number;
  /** The activation tensors that become integers by a scale known beforehand, by name. Only static layers have any. */
  readonly activations: ReadonlyMap<string, ActivationPlan>;
}

/** Whether a layer computes on integers of scales known beforehand. */
export function isStatic({ quantize, mode }: Pick<PlannedLayer, 'quantize' | 'mode'>): boolean {
  return quantize && mode === 'static';
}

/** Whether a plan needs the ranges of activations. */
export function needsCalibration({ mode, layers }: Pick<Plan, 'mode' | 'layers'>): boolean {
  return mode === 'static' || layers.some(isStatic);
}
