/**
 * An LSTM as onnxruntime's DynamicQuantizeLSTM: weights in int8 from the start, input and state quantized at every step.
 * Its weights stand on their sides, [directions, size, gates × hidden], with a scale for each direction or for each of
 * its rows (onnxruntime/docs/ContribOperators.md and contrib_ops/cpu/quantization/dynamic_quantize_lstm.cc).
 */

import { setOpsetVersion } from '../onnx/model';
import type { PlannedLayer, WeightPlan } from '../plan/types';
import { allocate, elementCount, makeTensor, toFloat32, type Tensor } from '../tensor';
import type { Construction } from './construction';
import type { QuantizedWeight } from './types';
import { quantizeWeight, weightParams } from './weights';

const DOMAIN = 'com.microsoft';
/** X, W, R, B, sequence_lens, initial_h, initial_c, P; the scales come behind them. */
const INPUTS = 8;

export function convertLstm(
  construction: Construction,
  { name, node: original }: PlannedLayer,
  weight: WeightPlan,
  recurrence: WeightPlan,
): void {
  const node = construction.nodeOf(original);
  const [w, r] = [quantizeGates(construction, name, weight), quantizeGates(construction, name, recurrence)];
  node.opType = 'DynamicQuantizeLSTM';
  node.domain = DOMAIN;
  setOpsetVersion(construction.editor.model, DOMAIN, 1);
  node.attribute = node.attribute.filter((attribute) => attribute.name !== 'layout');
  const inputs = Array.from({ length: INPUTS }, (_, index) => node.input[index] ?? '');
  inputs[weight.input] = w.integers;
  inputs[recurrence.input] = r.integers;
  node.input = [...inputs, w.scale, w.zeroPoint, r.scale, r.zeroPoint];
  construction.weights.set(name, { ...w.quantized, recurrence: r.quantized });
}

interface Stored {
  readonly integers: string;
  readonly scale: string;
  readonly zeroPoint: string;
  readonly quantized: QuantizedWeight;
}

/** Rows of all directions after each other are the channels of one matrix; without channels, a direction is one row. */
function quantizeGates(construction: Construction, layer: string, plan: WeightPlan): Stored {
  const { editor, convention } = construction;
  const stored = construction.constantOf(plan.tensor);
  const [directions = 1, rows = 1, size = 1] = stored.dims;
  const channels = plan.axis === null ? directions : directions * rows;
  const matrix = makeTensor('float32', [channels, elementCount(stored.dims) / channels], toFloat32(stored));
  const flat: WeightPlan = { ...plan, axis: 0 };
  const order = (): Iterable<Int32Array> => inTurns(directions * rows, size, channels);
  const params = weightParams(matrix, flat, { convention, order });
  const { data } = quantizeWeight(matrix, flat, params);
  const dims = plan.axis === null ? [directions] : [directions, rows];
  const zeros = allocate(plan.type, channels);
  params.zeroPoints.forEach((zero, i) => (zeros[i] = zero));
  const integers = turned({ type: plan.type, dims: [directions, rows, size], data });
  return {
    integers: editor.addInitializer(`${plan.tensor}_quantized`, integers),
    scale: editor.addInitializer(`${plan.tensor}_scale`, makeTensor('float32', dims, params.scales)),
    zeroPoint: editor.addInitializer(`${plan.tensor}_zero_point`, { type: plan.type, dims, data: zeros }),
    quantized: { layer, tensor: plan.tensor, type: plan.type, ...params, axis: plan.axis },
  };
}

/** The rows of a matrix, each an inner product of the kernel, one of each channel in turns. */
function* inTurns(rows: number, size: number, channels: number): Iterable<Int32Array> {
  for (let i = 0; i < rows; i++) {
    const row = (i % channels) * (rows / channels) + Math.floor(i / channels);
    yield Int32Array.from({ length: size }, (_, k) => row * size + k);
  }
}

/** Each matrix of `[directions, rows, columns]` transposed. */
function turned({ type, dims, data }: Tensor): Tensor {
  const [directions = 0, rows = 0, columns = 0] = dims;
  const result = allocate(type, data.length);
  for (let d = 0; d < directions; d++) {
    const start = d * rows * columns;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) result[start + c * rows + r] = data[start + r * columns + c]!;
    }
  }
  return { type, dims: [directions, columns, rows], data: result };
}
