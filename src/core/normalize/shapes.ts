/** Shapes of tensors as far as the runtime can infer them. */

import type { OnnxModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import type { TensorInfo } from '../runtime/session';

/** One entry per axis: a size, or the name of a symbolic one. */
export type Shape = readonly (number | string)[];
export type ShapeOf = (tensor: string) => Shape | undefined;

/**
 * What is known of the main graph's tensors. Without those that seem to be scalars, for the runtime
 * describes a tensor of unknown rank just so. Empty where the runtime does not load the model (an
 * operator it lacks), for then every step has a form that does without.
 */
export async function inferOrNothing(model: OnnxModel): Promise<ReadonlyMap<string, TensorInfo>> {
  try {
    return new Map([...(await inferTensors(model))].filter(([, info]) => info.shape.length > 0));
  } catch {
    return new Map();
  }
}
