/** What convert made, for those who read the int8 model afterwards: names are looked up here, never guessed. */

import type { OnnxModel } from '../onnx/model';
import type { ActivationType, WeightType } from '../../shared/recipe';

export interface QuantizedActivation {
  /** The float tensor of the fp32 model. */
  readonly tensor: string;
  /** The integer tensor of the int8 model (output of its QuantizeLinear). */
  readonly integer: string;
  /** The float tensor made of it again. */
  readonly dequantized: string;
  readonly type: ActivationType;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly range: { readonly min: number; readonly max: number };
}

export interface QuantizedWeight {
  readonly layer: string;
  readonly tensor: string;
  readonly type: WeightType;
  readonly axis: number | null;
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  /** The second weight of a recurrent layer. */
  readonly recurrence?: QuantizedWeight;
}

export interface Conversion {
  readonly model: OnnxModel;
  /** By name of the float tensor. */
  readonly activations: ReadonlyMap<string, QuantizedActivation>;
  /** By name of the layer. */
  readonly weights: ReadonlyMap<string, QuantizedWeight>;
  readonly warnings: readonly string[];
}
