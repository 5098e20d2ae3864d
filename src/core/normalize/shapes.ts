/** Shapes of tensors as far as the runtime can infer them. */

import { QuantscopeError } from '../../shared/errors';
import type { OnnxModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import type { TensorInfo } from '../runtime/session';
import { bytesPerElement } from '../tensor';

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

/** No activation of a network that runs on a CPU is this large; a few bytes of a file can ask for it. */
const LARGEST_TENSOR = 2 ** 32;

/** @throws `model-too-large` naming a tensor that alone would take gigabytes */
export function checkSizes(tensors: ReadonlyMap<string, TensorInfo>): void {
  for (const { name, type, shape } of tensors.values()) {
    const bytes = shape.reduce<number>(
      (size, dim) => size * (typeof dim === 'number' ? dim : 1),
      bytesPerElement(type),
    );
    if (bytes <= LARGEST_TENSOR) continue;
    const size = `${(bytes / 1e9).toFixed(1)} GB`;
    throw new QuantscopeError(
      'model-too-large',
      `The tensor "${name}" of the shape ${shape.join('×')} takes ${size}.`,
      {
        hint: 'Check the sizes that the model computes with; no run would fit the memory.',
      },
    );
  }
}
