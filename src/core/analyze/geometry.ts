/** Which product a layer's int8 kernel computes, read off its node and the shapes of this sample. */

import { intAttribute, intsAttribute, stringAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { Geometry } from './saturation';

/**
 * @param input dims of the first input, batch 1
 * @param weight dims of the constant weight
 * @returns `undefined` for operators and forms that are no such product
 */
export function geometryOf(node: NodeProto, input: readonly number[], weight: readonly number[]): Geometry | undefined {
  switch (node.opType) {
    case 'Conv':
      return convGeometry(node, input, weight);
    case 'MatMul':
      return weight.length === 2 ? productGeometry(input, weight[0]!, weight[1]!) : undefined;
    case 'Gemm':
      // A transposed weight is handled where its values are read.
      if (intAttribute(node, 'transA', 0) !== 0 || weight.length !== 2) return undefined;
      return isTransposed(node)
        ? productGeometry(input, weight[1]!, weight[0]!)
        : productGeometry(input, weight[0]!, weight[1]!);
    default:
      return undefined;
  }
}

export function isTransposed(node: NodeProto): boolean {
  return node.opType === 'Gemm' && intAttribute(node, 'transB', 0) !== 0;
}

function productGeometry(input: readonly number[], inner: number, columns: number): Geometry | undefined {
  if (input.at(-1) !== inner) return undefined;
  return { kind: 'product', rows: input.slice(0, -1).reduce((a, b) => a * b, 1), inner, columns };
}

function convGeometry(node: NodeProto, input: readonly number[], weight: readonly number[]): Geometry | undefined {
  const [batch, channels, ...spatial] = input;
  const [outChannels, depth, ...kernel] = weight;
  const groups = intAttribute(node, 'group', 1);
  const fits = batch === 1 && channels !== undefined && outChannels !== undefined && depth === channels / groups;
  if (!fits || kernel.length !== spatial.length || outChannels % groups !== 0) return undefined;
  const strides = intsAttribute(node, 'strides') ?? spatial.map(() => 1);
  const dilations = intsAttribute(node, 'dilations') ?? spatial.map(() => 1);
  const extents = kernel.map((size, d) => (size - 1) * dilations[d]! + 1);
  const { begin, total } = padding(node, spatial, strides, extents);
  const outSpatial = spatial.map((size, d) => Math.floor((size + total[d]! - extents[d]!) / strides[d]!) + 1);
  return { kind: 'conv', channels, spatial, outSpatial, kernel, strides, dilations, pads: begin, groups, outChannels };
}

/** ONNX Conv: `auto_pad` SAME makes the output ceil(input / stride), the odd pad at the end (UPPER) or start (LOWER). */
function padding(
  node: NodeProto,
  spatial: readonly number[],
  strides: readonly number[],
  extents: readonly number[],
): { begin: number[]; total: number[] } {
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const total = spatial.map((size, d) =>
      Math.max(0, (Math.ceil(size / strides[d]!) - 1) * strides[d]! + extents[d]! - size),
    );
    return { total, begin: total.map((t) => (auto === 'SAME_UPPER' ? Math.floor(t / 2) : Math.ceil(t / 2))) };
  }
  const pads = auto === 'VALID' ? undefined : intsAttribute(node, 'pads');
  const begin = spatial.map((_, d) => pads?.[d] ?? 0);
  return { begin, total: begin.map((b, d) => b + (pads?.[spatial.length + d] ?? 0)) };
}
