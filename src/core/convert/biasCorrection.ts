/**
 * Bias correction: rounding the weights moves the mean of every output channel by Σ ΔW·E[x], which
 * the bias takes back (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
 * Correction", ICCV 2019, section 4.2). The means come from calibration instead of BatchNormalization.
 */

import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { toFloat32, type Tensor } from '../tensor';
import type { WeightParams } from './weights';

/**
 * How far rounding the weight moves the mean of each output channel; `undefined` where the operator
 * has no bias to take it back.
 * @param means of each input channel over all samples and positions
 */
export function outputShift(
  node: NodeProto,
  weight: Tensor,
  integers: Tensor,
  params: WeightParams,
  means: Float32Array,
): Float32Array | undefined {
  const error = roundingError(toFloat32(weight), integers, params);
  if (node.opType === 'Conv') return convShift(error, weight.dims, intAttribute(node, 'group', 1), means);
  if (node.opType !== 'Gemm' || weight.dims.length !== 2) return undefined;
  const [rows = 0, columns = 0] = weight.dims;
  const transposed = intAttribute(node, 'transB', 0) === 1;
  const [outputs, inputs] = transposed ? [rows, columns] : [columns, rows];
  if (means.length !== inputs) return undefined;
  const shift = new Float32Array(outputs);
  for (let n = 0; n < outputs; n++) {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += error[transposed ? n * inputs + k : k * outputs + n]! * means[k]!;
    shift[n] = sum;
  }
  return shift;
}

function convShift(
  error: Float64Array,
  dims: readonly number[],
  group: number,
  means: Float32Array,
): Float32Array | undefined {
  const [outputs = 0, inputs = 0, ...kernel] = dims;
  const area = kernel.reduce((product, dim) => product * dim, 1);
  if (means.length !== inputs * group) return undefined;
  const shift = new Float32Array(outputs);
  for (let m = 0; m < outputs; m++) {
    const firstInput = Math.floor(m / (outputs / group)) * inputs;
    let sum = 0;
    for (let c = 0; c < inputs; c++) {
      for (let k = 0; k < area; k++) sum += error[(m * inputs + c) * area + k]! * means[firstInput + c]!;
    }
    shift[m] = sum;
  }
  return shift;
}

function roundingError(
  weight: Float32Array,
  integers: Tensor,
  { axis, scales, zeroPoints }: WeightParams,
): Float64Array {
  const inner =
    axis === null ? weight.length : integers.dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const error = new Float64Array(weight.length);
  for (let i = 0; i < weight.length; i++) {
    const channel = Math.floor(i / inner) % scales.length;
    error[i] = (Number(integers.data[i]) - zeroPoints[channel]!) * scales[channel]! - weight[i]!;
  }
  return error;
}

/** The bias without the shift; a bias where there was none; `undefined` where neither exists. */
export function correctBias(bias: Float32Array | undefined, shift: Float32Array | undefined): Float32Array | undefined {
  if (shift === undefined) return bias;
  return shift.map((value, i) => (bias?.[i] ?? 0) - value);
}
