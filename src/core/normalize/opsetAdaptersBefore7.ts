/**
 * What changed incompatibly below opset 7 (onnx/docs/Changelog.md): hints for memory that nobody uses any
 * more, broadcasting that had to be asked for, and attributes that became inputs.
 */

import { create } from '@bufbuild/protobuf';
import { intAttribute, makeAttribute, stringAttribute } from '../onnx/attributes';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type NodeProto,
} from '../onnx/generated/onnx_pb';
import { makeNode } from '../onnx/model';
import { makeTensor, toFloat32 } from '../tensor';
import {
  keepFirstOutput,
  moveInts,
  putAttribute,
  takeAttribute,
  type Adaptation,
  type Adapter,
  type VersionStep,
} from './opsetAdapters';

function without(...names: readonly string[]): Adapter {
  return (node) => {
    for (const name of names) takeAttribute(node, name);
  };
}

/** Which inputs a kernel might overwrite: a hint of opset 1 alone. */
const FORGET_CONSUMED = without('consumed_inputs');

/**
 * Until opset 6 the second operand was broadcast where `broadcast` said so, its first axis lying at `axis` of
 * the first operand's; from 7 on shapes are aligned at their ends, which needs axes of size 1 behind it.
 */
function alignOperand(node: NodeProto, a: Adaptation): void {
  const broadcast = takeAttribute(node, 'broadcast')?.i === 1n;
  const axis = takeAttribute(node, 'axis');
  if (!broadcast || axis === undefined) return;
  const [left = '', right = ''] = node.input;
  const [rank, own] = [a.shape(left)?.length, a.constant(right)?.dims.length ?? a.shape(right)?.length];
  if (rank === undefined || own === undefined) a.refuse('the ranks of its operands are not known');
  const at = Number(axis.i) < 0 ? Number(axis.i) + rank : Number(axis.i);
  appendAxes(node, a, 1, rank - at - own);
}

/** Gives an input so many axes of size 1 behind its own. */
function appendAxes(node: NodeProto, a: Adaptation, index: number, count: number): void {
  if (count <= 0) return;
  const input = node.input[index] ?? '';
  const constant = a.constant(input);
  if (constant !== undefined) {
    const dims = [...constant.dims, ...new Array<number>(count).fill(1)];
    node.input[index] = a.initializer(`${input}_aligned`, { ...constant, dims });
    return;
  }
  const rank = a.shape(input)?.length;
  if (rank === undefined) a.refuse('the rank of its operand is not known');
  const aligned = a.freshTensor(`${input}_aligned`);
  const axes = Array.from({ length: count }, (_, i) => rank + i);
  node.input[index] = aligned;
  const name = a.freshNode(`${node.name}_Unsqueeze`);
  a.replaceBy([makeNode({ op: 'Unsqueeze', name, inputs: [input], outputs: [aligned], attributes: { axes } }), node]);
}

/** A slope for each channel was one axis long; from 7 on it is aligned at its end as every operand is. */
function preluSlope(node: NodeProto, a: Adaptation): void {
  const [input = '', slope = ''] = node.input;
  const own = a.constant(slope)?.dims ?? a.shape(slope);
  const rank = a.shape(input)?.length;
  if (own?.length !== 1 || own[0] === 1) return;
  if (rank === undefined) a.refuse('the rank of its input is not known');
  appendAxes(node, a, 1, rank - 2);
}

function batchNormalization7(node: NodeProto, a: Adaptation): void {
  takeAttribute(node, 'is_test');
  keepFirstOutput(node, a, 'it is in training mode');
}

const CAST_TYPES: Readonly<Record<string, DataType>> = {
  FLOAT: DataType.FLOAT,
  FLOAT16: DataType.FLOAT16,
  DOUBLE: DataType.DOUBLE,
  INT8: DataType.INT8,
  INT16: DataType.INT16,
  INT32: DataType.INT32,
  INT64: DataType.INT64,
  UINT8: DataType.UINT8,
  UINT16: DataType.UINT16,
  UINT32: DataType.UINT32,
  UINT64: DataType.UINT64,
  BOOL: DataType.BOOL,
};

function cast6(node: NodeProto, a: Adaptation): void {
  const name = stringAttribute(node, 'to', '').toUpperCase();
  const type = CAST_TYPES[name];
  if (type === undefined) a.refuse(`it casts to "${name}"`);
  putAttribute(node, 'to', type);
}

function concat4(node: NodeProto): void {
  putAttribute(node, 'axis', intAttribute(node, 'axis', 1));
}

/** Rounded in opset 1: the defaults of 6 have four more digits. */
function selu6(node: NodeProto): void {
  takeAttribute(node, 'consumed_inputs');
  for (const [name, value] of [
    ['alpha', 1.6732],
    ['gamma', 1.0507],
  ] as const) {
    const given = takeAttribute(node, name);
    node.attribute.push(given ?? makeAttribute(name, { f: value }));
  }
}

function pad2(node: NodeProto): void {
  const found = takeAttribute(node, 'paddings');
  if (found !== undefined) node.attribute.push(Object.assign(found, { name: 'pads' }));
}

function split2(node: NodeProto, a: Adaptation): void {
  const sizes = node.input[1] ?? '';
  if (sizes === '') return;
  const constant = a.constant(sizes);
  if (constant === undefined) a.refuse('its sizes are computed while the model runs');
  node.input = node.input.slice(0, 1);
  putAttribute(node, 'split', Array.from(toFloat32(constant)));
}

function reshape5(node: NodeProto, a: Adaptation): void {
  takeAttribute(node, 'consumed_inputs');
  moveInts(node, a, 'shape', 1);
}

/** One axis was repeated at a time. */
function tile6(node: NodeProto, a: Adaptation): void {
  const [input = '', tiles = '', axis = ''] = node.input;
  const [rank, times, at] = [a.shape(input)?.length, a.constant(tiles), a.constant(axis)];
  if (rank === undefined || times === undefined || at === undefined) a.refuse('its axis or repeats are not constant');
  const repeats = new BigInt64Array(rank).fill(1n);
  repeats[Number(at.data[0])] = BigInt(Number(times.data[0]));
  node.input = [input, a.initializer(`${node.name}_repeats`, makeTensor('int64', [rank], repeats))];
}

function upsample7(node: NodeProto): void {
  const [width, height] = [takeAttribute(node, 'width_scale'), takeAttribute(node, 'height_scale')];
  node.attribute.push(
    create(AttributeProtoSchema, {
      name: 'scales',
      type: AttributeType.FLOATS,
      floats: [1, 1, height?.f ?? 1, width?.f ?? 1],
    }),
  );
}

function integerP(node: NodeProto, a: Adaptation): void {
  const p = takeAttribute(node, 'p')?.f ?? 2;
  if (!Number.isInteger(p)) a.refuse(`its p is ${p}`);
  putAttribute(node, 'p', p);
}

const CONSUMED: readonly VersionStep[] = [{ to: 6, adapt: FORGET_CONSUMED }];
const ARITHMETIC: readonly VersionStep[] = [...CONSUMED, { to: 7, adapt: alignOperand }];
const ALIGNED: readonly VersionStep[] = [{ to: 7, adapt: alignOperand }];
const RECURRENT: readonly VersionStep[] = [{ to: 7, adapt: without('output_sequence') }];

/** Operator → its incompatible versions below 8, ascending. */
export const ADAPTERS_BEFORE_7: Readonly<Record<string, readonly VersionStep[]>> = {
  Abs: CONSUMED,
  Add: ARITHMETIC,
  And: ALIGNED,
  BatchNormalization: [...CONSUMED, { to: 7, adapt: batchNormalization7 }],
  Cast: [{ to: 6, adapt: cast6 }],
  Ceil: CONSUMED,
  Clip: CONSUMED,
  Concat: [{ to: 4, adapt: concat4 }],
  Div: ARITHMETIC,
  Dropout: [...CONSUMED, { to: 7, adapt: without('is_test') }],
  Elu: CONSUMED,
  Equal: ALIGNED,
  Exp: CONSUMED,
  Floor: CONSUMED,
  // Until 3 it had no linear_before_reset, whose default is what it did.
  GRU: [{ to: 3, adapt: without() }, ...RECURRENT],
  Gemm: [{ to: 7, adapt: without('broadcast') }],
  GlobalLpPool: [{ to: 2, adapt: integerP }],
  Greater: ALIGNED,
  HardSigmoid: CONSUMED,
  InstanceNormalization: CONSUMED,
  LSTM: RECURRENT,
  LeakyRelu: CONSUMED,
  Less: ALIGNED,
  Log: CONSUMED,
  LpPool: [{ to: 2, adapt: integerP }],
  Max: CONSUMED,
  Mean: CONSUMED,
  Min: CONSUMED,
  Mul: ARITHMETIC,
  Neg: CONSUMED,
  Or: ALIGNED,
  PRelu: [...CONSUMED, { to: 7, adapt: preluSlope }],
  Pad: [{ to: 2, adapt: pad2 }],
  Pow: ALIGNED,
  RNN: RECURRENT,
  Reciprocal: CONSUMED,
  Relu: CONSUMED,
  Reshape: [{ to: 5, adapt: reshape5 }],
  Selu: [{ to: 6, adapt: selu6 }],
  Sigmoid: CONSUMED,
  Split: [{ to: 2, adapt: split2 }],
  Sqrt: CONSUMED,
  Sub: ARITHMETIC,
  Sum: CONSUMED,
  Tanh: CONSUMED,
  Tile: [{ to: 6, adapt: tile6 }],
  Upsample: [{ to: 7, adapt: upsample7 }],
  Xor: ALIGNED,
};
