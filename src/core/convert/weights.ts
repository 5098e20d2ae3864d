/** Weights and biases to integers. */

import type { WeightPlan } from '../plan/types';
import { channelRanges, weightScales, type Convention, type QuantSpec } from '../calibrate/qparams';
import { quantizeArray } from '../calibrate/quantize';
import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { elementCount, toFloat32, type Tensor } from '../tensor';

export interface WeightParams {
  readonly axis: number | null;
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
}

/**
 * Element positions of each inner product of the kernel, in its order of summation. Products follow
 * each other channel by channel, over again for each matrix of a batch.
 */
export type ProductOrder = (tensor: Tensor) => Iterable<Int32Array>;

/**
 * The largest sum of two neighbouring weights of one sign, in steps of the scale, whose products
 * with 255 fit in 16 bits: 255 · 128 = 32640 ≤ 32767.
 */
const LARGEST_PAIR = 128;

/** Bias and product are added in int32; one bit is left for the products. */
const LARGEST_BIAS = 2 ** 30;

/** Of float32. */
const SMALLEST_NORMAL = 2 ** -126;

export interface WeightContext {
  readonly convention: Convention;
  /** Scale of the layer's input, and the values of its bias: both bound the scale of a channel from below. */
  readonly inputScale?: number;
  readonly bias?: Float32Array;
  readonly order: ProductOrder;
}

/** Scales and zero points of a weight: the observer's, enlarged where products or the bias would overflow. */
export function weightParams(weight: Tensor, plan: WeightPlan, context: WeightContext): WeightParams {
  const values = toFloat32(weight);
  const spec: QuantSpec = { bits: 8, qmin: plan.qmin, qmax: plan.qmax, symmetric: plan.symmetric };
  const { scales, zeroPoints } = weightScales(values, weight.dims, plan.axis, spec, context.convention);
  if (plan.saturation === 'pairs') avoidSaturation(values, weight, plan.axis, scales, context.order);
  const { bias, inputScale } = context;
  if (bias !== undefined && inputScale !== undefined) {
    const empty = channelRanges(values, weight.dims, plan.axis).map(
      ({ min, max }) => Math.max(-min, max) < SMALLEST_NORMAL,
    );
    fitBias(bias, inputScale, empty, scales);
  }
  return { axis: plan.axis, scales, zeroPoints };
}

/**
 * Enlarges the scale of each channel just until no two neighbouring weights can overflow together.
 * Weights of opposite signs cannot: their products partly cancel. So most channels keep more than
 * seven of their eight bits, where reducing the range takes one bit from all.
 */
function avoidSaturation(
  values: Float32Array,
  weight: Tensor,
  axis: number | null,
  scales: Float32Array,
  order: ProductOrder,
): void {
  const largest = new Float64Array(scales.length);
  let product = 0;
  for (const positions of order(weight)) {
    const slot = axis === null ? 0 : product++ % scales.length;
    let pair = largest[slot]!;
    for (let i = 0; i + 1 < positions.length; i += 2) {
      const a = values[positions[i]!]!;
      const b = values[positions[i + 1]!]!;
      if (a > 0 === b > 0) pair = Math.max(pair, Math.abs(a + b));
    }
    largest[slot] = pair;
  }
  for (let slot = 0; slot < scales.length; slot++) {
    // Each of the two is rounded by up to half a step, so one step is kept in reserve.
    const needed = largest[slot]! / (LARGEST_PAIR - 1);
    if (needed > scales[slot]!) scales[slot] = Math.fround(needed);
  }
}

/**
 * A tiny weight scale makes a bias overflow int32; the scale grows until it fits. A channel without
 * weights has the scale 1, in whose steps the bias would be rounded; it gets the bias's own scale.
 */
function fitBias(bias: Float32Array, inputScale: number, empty: readonly boolean[], scales: Float32Array): void {
  const needed = new Float64Array(scales.length);
  for (let i = 0; i < bias.length; i++) {
    const slot = scales.length === 1 ? 0 : i;
    needed[slot] = Math.max(needed[slot]!, Math.abs(bias[i]!) / (inputScale * LARGEST_BIAS));
  }
  for (let slot = 0; slot < scales.length; slot++) {
    const least = Math.fround(needed[slot]!);
    if (least > scales[slot]! || (empty[slot] === true && least >= SMALLEST_NORMAL)) scales[slot] = least;
  }
}

export function quantizeWeight(weight: Tensor, plan: WeightPlan, params: WeightParams): Tensor {
  const values = toFloat32(weight);
  const { axis, scales, zeroPoints } = params;
  const data = quantizeArray(values, weight.dims, axis, scales, zeroPoints, plan.type);
  // The reduced and the symmetric ranges are narrower than the type.
  for (let i = 0; i < data.length; i++) data[i] = Math.min(plan.qmax, Math.max(plan.qmin, data[i]!));
  return { type: plan.type, dims: weight.dims, data };
}

/** int32 bias with scale s_x·s_w, rounded half to even, and that scale, one per channel. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  weightScale: Float32Array,
  alpha: number,
): { data: Int32Array; scales: Float32Array } {
  const scales = weightScale.map((scale) => Math.fround(Math.fround(inputScale * scale) * alpha));
  const data = new Int32Array(bias.length);
  for (let i = 0; i < bias.length; i++) {
    const step = bias[i]! / scales[scales.length === 1 ? 0 : i]!;
    const floor = Math.floor(step);
    const rest = step - floor;
    const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
    data[i] = Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), rounded));
  }
  return { data, scales };
}

/**
 * onnxruntime's order of summation: a convolution goes over the kernel's positions and at each over
 * the input channels (NHWC), a matrix product over the rows of B (MLAS, qlinearconv.cc and
 * matmul_helper.h).
 */
export function productOrder(node: NodeProto): ProductOrder {
  if (node.opType === 'Conv') return convOrder;
  return node.opType === 'Gemm' && intAttribute(node, 'transB', 0) === 1 ? rowOrder : columnOrder;
}

function* convOrder({ dims: [outputs = 0, inputs = 0, ...kernel] }: Tensor): Iterable<Int32Array> {
  const area = elementCount(kernel);
  const positions = new Int32Array(inputs * area);
  for (let m = 0; m < outputs; m++) {
    let at = 0;
    for (let k = 0; k < area; k++) for (let c = 0; c < inputs; c++) positions[at++] = (m * inputs + c) * area + k;
    yield positions;
  }
}

/** The columns of `[…, inner, columns]`, or the one column of a vector. */
export function* columnOrder({ dims }: Tensor): Iterable<Int32Array> {
  const columns = dims.length < 2 ? 1 : dims.at(-1)!;
  const inner = (dims.length < 2 ? dims[0] : dims.at(-2)) ?? 1;
  const positions = new Int32Array(inner);
  for (let matrix = 0; matrix < elementCount(dims.slice(0, -2)); matrix++) {
    for (let n = 0; n < columns; n++) {
      for (let k = 0; k < inner; k++) positions[k] = (matrix * inner + k) * columns + n;
      yield positions;
    }
  }
}

function* rowOrder({ dims: [rows = 0, inner = 0] }: Tensor): Iterable<Int32Array> {
  for (let row = 0; row < rows; row++) yield Int32Array.from({ length: inner }, (_, k) => row * inner + k);
}
