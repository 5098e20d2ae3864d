/**
 * What changed incompatibly in the operators of the default domain between opset 7 and 21, and how
 * a node is rewritten across each change (source: the operator change log, onnx/docs/Changelog.md).
 * Operators that are not listed kept their meaning: they only gained types, optional inputs or
 * attributes whose default is the old behaviour. A test compares this table with the schemas.
 */

import {
  attribute,
  floatAttribute,
  intAttribute,
  makeAttribute,
  stringAttribute,
  type AttributeValue,
} from '../onnx/attributes';
import {
  AttributeProto_AttributeType as AttributeType,
  type AttributeProto,
  type NodeProto,
} from '../onnx/generated/onnx_pb';
import { makeNode } from '../onnx/model';
import { makeTensor, toFloat32, type ElementType, type Tensor } from '../tensor';
import { staticShape } from './foldConstants';
import type { Shape } from './shapes';

/** What an adapter may ask and do; `initializer` and the fresh names belong to the node's own graph. */
export interface Adaptation {
  constant(tensor: string): Tensor | undefined;
  shape(tensor: string): Shape | undefined;
  type(tensor: string): ElementType | undefined;
  isUsed(tensor: string): boolean;
  /** Adds a constant and returns its name. */
  initializer(base: string, tensor: Tensor): string;
  freshTensor(base: string): string;
  freshNode(base: string): string;
  /** Puts these nodes in the place of the one that is adapted. */
  replaceBy(nodes: readonly NodeProto[]): void;
  refuse(why: string): never;
}

/** Rewrites a node for the next version of its operator, in place unless it calls `replaceBy`. */
export type Adapter = (node: NodeProto, a: Adaptation) => void;

function int64s(values: readonly bigint[]): Tensor {
  return makeTensor('int64', [values.length], BigInt64Array.from(values));
}

export function takeAttribute(node: NodeProto, name: string): AttributeProto | undefined {
  const found = attribute(node, name);
  if (found !== undefined) node.attribute = node.attribute.filter((candidate) => candidate !== found);
  return found;
}

/** Replaces, or adds, an attribute. */
export function putAttribute(node: NodeProto, name: string, value: AttributeValue): void {
  takeAttribute(node, name);
  node.attribute.push(makeAttribute(name, value));
}

function setInput(node: NodeProto, index: number, tensor: string): void {
  while (node.input.length <= index) node.input.push('');
  node.input[index] = tensor;
}

/** An attribute of integers became an int64 input; without the attribute the input stays absent too. */
export function moveInts(node: NodeProto, a: Adaptation, name: string, index: number): void {
  const found = takeAttribute(node, name);
  if (found === undefined) return;
  // Kept as bigint: "to the end" is the largest int64, which a number cannot hold.
  const values = found.type === AttributeType.INT ? [found.i] : found.ints;
  setInput(node, index, a.initializer(`${node.name}_${name}`, int64s(values)));
}

/** A float attribute became a scalar input of the data's own type. */
function moveFloat(node: NodeProto, a: Adaptation, name: string, index: number): void {
  const found = takeAttribute(node, name);
  if (found === undefined) return;
  const tensor =
    a.type(node.input[0] ?? '') === 'float64'
      ? makeTensor('float64', [], Float64Array.of(found.f))
      : makeTensor('float32', [], Float32Array.of(found.f));
  setInput(node, index, a.initializer(`${node.name}_${name}`, tensor));
}

/** Optional outputs whose meaning changed: dropped where nothing reads them. */
export function keepFirstOutput(node: NodeProto, a: Adaptation, why: string): void {
  if (node.output.slice(1).some((name) => a.isUsed(name))) a.refuse(why);
  node.output = node.output.slice(0, 1);
}

/**
 * Until opset 12 the input was flattened to two dimensions before `axis` and the operator ran over
 * the whole second one; from 13 it runs over one axis. The same where only one axis from `axis` on
 * is longer than 1; elsewhere the flattening is spelled out.
 */
function flattenedAxis(node: NodeProto, a: Adaptation): void {
  const [input = ''] = node.input;
  const [output = ''] = node.output;
  const axis = intAttribute(node, 'axis', 1);
  const shape = a.shape(input);
  const tail = shape === undefined ? undefined : shape.slice(axis);
  if (axis === -1 || tail?.length === 1) {
    putAttribute(node, 'axis', -1);
    return;
  }
  if (tail !== undefined && shape !== undefined) {
    const long = tail.flatMap((dim, i) => (dim === 1 ? [] : [i - tail.length]));
    if (long.length === 1) {
      putAttribute(node, 'axis', long[0]!);
      return;
    }
  }
  const [flat, flatResult] = [a.freshTensor(`${node.name}_flat`), a.freshTensor(`${node.name}_result`)];
  const dims = staticShape(shape);
  const extra: NodeProto[] = [];
  let target: string;
  if (dims === undefined) {
    target = a.freshTensor(`${node.name}_shape`);
    extra.push(makeNode({ op: 'Shape', name: a.freshNode(`${node.name}_Shape`), inputs: [input], outputs: [target] }));
  } else {
    target = a.initializer(`${node.name}_shape`, int64s(dims.map(BigInt)));
  }
  putAttribute(node, 'axis', -1);
  node.input[0] = flat;
  node.output[0] = flatResult;
  a.replaceBy([
    ...extra,
    makeNode({
      op: 'Flatten',
      name: a.freshNode(`${node.name}_Flatten`),
      inputs: [input],
      outputs: [flat],
      attributes: { axis },
    }),
    node,
    makeNode({
      op: 'Reshape',
      name: a.freshNode(`${node.name}_Reshape`),
      inputs: [flatResult, target],
      outputs: [output],
    }),
  ]);
}

/**
 * Resize-10 counts coordinates without half-pixel centres, and onnxruntime's kernel takes the lower
 * neighbour when it enlarges but the upper one when it shrinks (`UpsampleBase`, nearest mode
 * "simple"), which from opset 11 on is one mode for all axes.
 */
function resize11(node: NodeProto, a: Adaptation): void {
  const [input = '', scales = ''] = node.input;
  const factors = a.constant(scales);
  const nearest = stringAttribute(node, 'mode', 'nearest') === 'nearest';
  const known = factors === undefined ? scalesFromShapes(node, a) : Array.from(toFloat32(factors));
  if (nearest && known === undefined) {
    a.refuse('its scales are computed while the model runs, and the rounding depends on them');
  }
  const shrinks = known?.some((s) => s < 1) === true;
  if (nearest && shrinks && known.some((s) => s > 1)) a.refuse('it enlarges one axis and shrinks another');
  const roi = a.initializer(`${node.name}_roi`, makeTensor('float32', [0], new Float32Array(0)));
  node.input = [input, roi, scales];
  putAttribute(node, 'coordinate_transformation_mode', 'asymmetric');
  if (nearest) putAttribute(node, 'nearest_mode', shrinks ? 'ceil' : 'floor');
}

function scalesFromShapes(node: NodeProto, a: Adaptation): number[] | undefined {
  const before = staticShape(a.shape(node.input[0] ?? ''));
  const after = staticShape(a.shape(node.output[0] ?? ''));
  return before === undefined || after === undefined ? undefined : before.map((size, i) => (after[i] ?? 0) / size);
}

/** From 21 on scale and bias have one value per channel instead of one per group. */
function groupNormalization21(node: NodeProto, a: Adaptation): void {
  const channels = a.shape(node.input[0] ?? '')?.[1];
  const groups = intAttribute(node, 'num_groups', 0);
  if (typeof channels !== 'number' || groups < 1 || channels % groups !== 0) a.refuse('its channels are not known');
  for (const index of [1, 2]) {
    const tensor = a.constant(node.input[index] ?? '');
    if (tensor?.type !== 'float32') a.refuse('its scale and bias are not float32 constants');
    const data = toFloat32(tensor);
    const repeated = Float32Array.from({ length: channels }, (_, i) => data[Math.floor((i * groups) / channels)]!);
    const name = `${node.name}_${index === 1 ? 'scale' : 'bias'}`;
    setInput(node, index, a.initializer(name, makeTensor('float32', [channels], repeated)));
  }
}

function batchNormalization9(node: NodeProto, a: Adaptation): void {
  if (takeAttribute(node, 'spatial')?.i === 0n) a.refuse('it normalizes every position on its own (spatial = 0)');
}

/** Numbers until opset 9, from 10 on truth values, of which the runtime's kernel before 12 says "dropped". */
const MASK = 'its mask is used, whose meaning changed';

function dropout12(node: NodeProto, a: Adaptation): void {
  keepFirstOutput(node, a, MASK);
  // The ratio acts in training only, which is off unless a third input asks for it.
  takeAttribute(node, 'ratio');
}

function clip11(node: NodeProto, a: Adaptation): void {
  moveFloat(node, a, 'min', 1);
  moveFloat(node, a, 'max', 2);
}

function dft20(node: NodeProto, a: Adaptation): void {
  const axis = BigInt64Array.of(takeAttribute(node, 'axis')?.i ?? 1n);
  setInput(node, 2, a.initializer(`${node.name}_axis`, makeTensor('int64', [], axis)));
}

const GRID_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

function gridSample20(node: NodeProto): void {
  const mode = GRID_MODES[stringAttribute(node, 'mode', 'bilinear')];
  if (mode !== undefined) putAttribute(node, 'mode', mode);
}

function pad11(node: NodeProto, a: Adaptation): void {
  moveInts(node, a, 'pads', 1);
  if (floatAttribute(node, 'value', 0) === 0) takeAttribute(node, 'value');
  moveFloat(node, a, 'value', 2);
}

function resize13(node: NodeProto, a: Adaptation): void {
  const mode = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  if (mode === 'tf_half_pixel_for_nn') a.refuse('opset 13 has no tf_half_pixel_for_nn coordinates');
}

function slice10(node: NodeProto, a: Adaptation): void {
  ['starts', 'ends', 'axes'].forEach((name, i) => {
    moveInts(node, a, name, i + 1);
  });
}

function split18(node: NodeProto): void {
  if ((node.input[1] ?? '') === '') putAttribute(node, 'num_outputs', node.output.length);
}

function upsample9(node: NodeProto, a: Adaptation): void {
  const scales = Float32Array.from(takeAttribute(node, 'scales')?.floats ?? []);
  setInput(node, 1, a.initializer(`${node.name}_scales`, makeTensor('float32', [scales.length], scales)));
}

function roiAlign16(node: NodeProto): void {
  putAttribute(node, 'coordinate_transformation_mode', 'output_half_pixel');
}

function intsToInput(name: string): Adapter {
  return (node, a) => {
    moveInts(node, a, name, 1);
  };
}

function firstOutputOnly(why: string): Adapter {
  return (node, a) => {
    keepFirstOutput(node, a, why);
  };
}

function refusal(why: string): Adapter {
  return (_node, a) => a.refuse(why);
}

function renameTo(op: string): Adapter {
  return (node) => {
    node.opType = op;
  };
}

export interface VersionStep {
  readonly to: number;
  readonly adapt: Adapter;
}

const REDUCE: readonly VersionStep[] = [{ to: 18, adapt: intsToInput('axes') }];
const SOFTMAX: readonly VersionStep[] = [{ to: 13, adapt: flattenedAxis }];

/** Operator → its incompatible versions, ascending. */
export const ADAPTERS: Readonly<Record<string, readonly VersionStep[]>> = {
  BatchNormalization: [
    { to: 9, adapt: batchNormalization9 },
    { to: 14, adapt: firstOutputOnly('it is in training mode') },
  ],
  Clip: [{ to: 11, adapt: clip11 }],
  DFT: [{ to: 20, adapt: dft20 }],
  Dropout: [
    { to: 10, adapt: firstOutputOnly(MASK) },
    { to: 12, adapt: dropout12 },
  ],
  GridSample: [{ to: 20, adapt: gridSample20 }],
  GroupNormalization: [{ to: 21, adapt: groupNormalization21 }],
  Hardmax: SOFTMAX,
  LogSoftmax: SOFTMAX,
  Pad: [{ to: 11, adapt: pad11 }],
  ReduceL1: REDUCE,
  ReduceL2: REDUCE,
  ReduceLogSum: REDUCE,
  ReduceLogSumExp: REDUCE,
  ReduceMax: REDUCE,
  ReduceMean: REDUCE,
  ReduceMin: REDUCE,
  ReduceProd: REDUCE,
  ReduceSum: [{ to: 13, adapt: intsToInput('axes') }],
  ReduceSumSquare: REDUCE,
  Resize: [
    { to: 11, adapt: resize11 },
    { to: 13, adapt: resize13 },
  ],
  RoiAlign: [{ to: 16, adapt: roiAlign16 }],
  Scan: [{ to: 9, adapt: refusal('opset 8 gave it batches and sequence lengths of its own') }],
  Scatter: [{ to: 11, adapt: renameTo('ScatterElements') }],
  Slice: [{ to: 10, adapt: slice10 }],
  Softmax: SOFTMAX,
  Split: [
    { to: 13, adapt: intsToInput('split') },
    { to: 18, adapt: split18 },
  ],
  Squeeze: [{ to: 13, adapt: intsToInput('axes') }],
  TopK: [{ to: 10, adapt: intsToInput('k') }],
  Unsqueeze: [{ to: 13, adapt: intsToInput('axes') }],
  Upsample: [
    { to: 9, adapt: upsample9 },
    { to: 10, adapt: renameTo('Resize') },
  ],
};
