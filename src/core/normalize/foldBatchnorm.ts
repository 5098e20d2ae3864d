/**
 * Folding of per-channel arithmetic into the Conv, ConvTranspose or Gemm before it:
 * y = a·(W∗x + b) + c = (a·W)∗x + (a·b + c), for BatchNormalization with a = γ/√(σ² + ε) and
 * c = β − a·μ (Ioffe and Szegedy 2015, §3.1; the inference form of the ONNX operator), and for the
 * Mul, Div, Add and Sub by a constant that exporters make of one. It is done here rather than by the
 * runtime's optimizer so that the node keeps its name, and the tensor after it the name that
 * everything downstream reads.
 */

import { floatAttribute, intAttribute, makeAttribute } from '../onnx/attributes';
import type { GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import { makeTensor, type Tensor } from '../tensor';
import { prune, replaceConstant, tensorNames } from './edit';

/** y = scale·x + shift for every output channel, in double precision until it meets the weights. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

export interface FoldReport {
  /** Names of the folded BatchNormalization nodes. */
  readonly batchnorms: readonly string[];
  /** Names of the folded Mul, Div, Add and Sub nodes. */
  readonly arithmetic: readonly string[];
}

/** Folds what can be folded exactly in the main graph (edited). */
export function foldBatchnorm(model: OnnxModel): FoldReport {
  const proto = graphOf(model);
  const taken = tensorNames(proto);
  const report = { batchnorms: [] as string[], arithmetic: [] as string[] };
  const gone = new Set<NodeProto>();
  const graph = new Graph(model);
  for (const node of graph.nodes) {
    const layer = readLayer(graph, node);
    if (layer === undefined) continue;
    let folded = layer;
    let last = node;
    for (;;) {
      const next = graph.soleConsumer(last.output[0] ?? '');
      const affine = next === undefined ? undefined : affineOf(graph, next, last.output[0] ?? '', folded);
      const applied = affine === undefined ? undefined : applyAffine(folded, affine);
      if (next === undefined || applied === undefined) break;
      folded = applied;
      last = next;
      gone.add(next);
      (next.opType === 'BatchNormalization' ? report.batchnorms : report.arithmetic).push(next.name);
    }
    if (last !== node) writeLayer(proto, graph, taken, node, last, folded);
  }
  if (gone.size > 0) {
    proto.node = proto.node.filter((node) => !gone.has(node));
    const orphans = [...gone].flatMap((node) => node.input).filter((name) => graph.isConstant(name));
    prune(proto, new Set(orphans));
  }
  return report;
}

/** Weights with their bias, and where the output channels lie in them. */
export interface Layer {
  readonly weights: Float32Array;
  readonly dims: readonly number[];
  readonly bias: Float64Array;
  readonly hasBias: boolean;
  /** Rank of the output. */
  readonly rank: number;
  readonly channels: number;
  /** Output channel of the weight at a flat index. */
  readonly channelOf: (index: number) => number;
}

export function readLayer(graph: Graph, node: NodeProto): Layer | undefined {
  const op = opKey(node);
  if (op !== 'Conv' && op !== 'ConvTranspose' && op !== 'Gemm') return undefined;
  const [, weightName = '', biasName = ''] = node.input;
  const weight = floats(graph, weightName);
  if (weight === undefined || weight.dims.length < 2) return undefined;
  const { dims, data } = weight;
  const place = channelPlace(node, dims);
  if (place === undefined || place.channels === 0) return undefined;
  const bias = readBias(graph, node, biasName, place.channels);
  if (bias === undefined) return undefined;
  return { weights: data, dims, bias, hasBias: biasName !== '', rank: dims.length, ...place };
}

function channelPlace(node: NodeProto, dims: readonly number[]): Pick<Layer, 'channels' | 'channelOf'> | undefined {
  const [first = 0, second = 0] = dims;
  const inner = dims.slice(2).reduce((a, b) => a * b, 1);
  if (node.opType === 'Conv') {
    return { channels: first, channelOf: (i) => Math.floor(i / (second * inner)) };
  }
  if (node.opType === 'ConvTranspose') {
    // W is [C, M/group, …]: the first axis runs over the groups' input channels.
    const group = intAttribute(node, 'group', 1);
    if (group < 1 || first % group !== 0) return undefined;
    const perGroup = first / group;
    return {
      channels: second * group,
      channelOf: (i) =>
        Math.floor(Math.floor(i / (second * inner)) / perGroup) * second + (Math.floor(i / inner) % second),
    };
  }
  if (dims.length !== 2) return undefined;
  return intAttribute(node, 'transB', 0) === 0
    ? { channels: second, channelOf: (i) => i % second }
    : { channels: first, channelOf: (i) => Math.floor(i / second) };
}

/** The bias per channel, β of a Gemm multiplied in; zeros where there is none. */
function readBias(graph: Graph, node: NodeProto, name: string, channels: number): Float64Array | undefined {
  if (name === '') return new Float64Array(channels);
  const bias = floats(graph, name);
  const values =
    bias === undefined
      ? undefined
      : perChannel(bias, channels, node.opType === 'Gemm' ? 2 : 1, node.opType === 'Gemm' ? 1 : 0);
  const beta = node.opType === 'Gemm' ? floatAttribute(node, 'beta', 1) : 1;
  return values?.map((v) => v * beta);
}

/** What a node does to each channel of `tensor`; `undefined` where it does more than that. */
function affineOf(graph: Graph, node: NodeProto, tensor: string, layer: Layer): Affine | undefined {
  switch (opKey(node)) {
    case 'BatchNormalization':
      return batchnormAffine(graph, node, layer.channels);
    case 'Mul':
    case 'Add':
    case 'Sub':
    case 'Div':
      return arithmeticAffine(graph, node, tensor, layer);
    default:
      return undefined;
  }
}

function batchnormAffine(graph: Graph, node: NodeProto, channels: number): Affine | undefined {
  const training = intAttribute(node, 'training_mode', 0) !== 0 || node.output.slice(1).some((name) => name !== '');
  if (training || intAttribute(node, 'spatial', 1) === 0) return undefined;
  const [gamma, beta, mean, variance] = node.input.slice(1).map((name) => floats(graph, name)?.data);
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) return undefined;
  if ([gamma, beta, mean, variance].some((values) => values.length !== channels)) return undefined;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma, (g, i) => g / Math.sqrt(variance[i]! + epsilon));
  return { scale, shift: scale.map((s, i) => beta[i]! - s * mean[i]!) };
}

function arithmeticAffine(graph: Graph, node: NodeProto, tensor: string, layer: Layer): Affine | undefined {
  const [left = '', right = ''] = node.input;
  const commutes = node.opType === 'Add' || node.opType === 'Mul';
  if (left !== tensor && !commutes) return undefined;
  const operand = floats(graph, left === tensor ? right : left);
  const values = operand === undefined ? undefined : perChannel(operand, layer.channels, layer.rank, 1);
  if (values === undefined) return undefined;
  const ones = new Float64Array(layer.channels).fill(1);
  const zeros = new Float64Array(layer.channels);
  switch (node.opType) {
    case 'Add':
      return { scale: ones, shift: values };
    case 'Sub':
      return { scale: ones, shift: values.map((v) => -v) };
    case 'Mul':
      return { scale: values, shift: zeros };
    default:
      return { scale: values.map((v) => 1 / v), shift: zeros };
  }
}

/** A constant that broadcasts over everything but the channel axis, as one value per channel. */
function perChannel(tensor: Tensor<'float32'>, channels: number, rank: number, axis: number): Float64Array | undefined {
  if (tensor.dims.length > rank) return undefined;
  const dims = [...new Array<number>(rank - tensor.dims.length).fill(1), ...tensor.dims];
  if (dims.some((d, i) => d !== 1 && !(i === axis && d === channels))) return undefined;
  const { data } = tensor;
  return Float64Array.from({ length: channels }, (_, i) => data[data.length === 1 ? 0 : i]!);
}

function floats(graph: Graph, name: string): Tensor<'float32'> | undefined {
  if (name === '') return undefined;
  const found = graph.constant(name);
  return found?.type === 'float32' ? (found as Tensor<'float32'>) : undefined;
}

/** `undefined` where a weight or bias would no longer be finite, as with a negative variance. */
export function applyAffine(layer: Layer, { scale, shift }: Affine): Layer | undefined {
  const weights = layer.weights.map((w, i) => w * scale[layer.channelOf(i)]!);
  const bias = layer.bias.map((b, i) => b * scale[i]! + shift[i]!);
  if (!weights.every(Number.isFinite) || !bias.every((b) => Number.isFinite(Math.fround(b)))) return undefined;
  return { ...layer, weights, bias, hasBias: true };
}

/** Puts the folded values into `node`, which takes over the output of the last folded node. */
export function writeLayer(
  proto: GraphProto,
  graph: Graph,
  taken: Set<string>,
  node: NodeProto,
  last: NodeProto,
  layer: Layer,
): void {
  const replace = (index: number, base: string, tensor: Tensor): void => {
    replaceConstant(proto, graph, taken, node, index, base, tensor);
  };
  replace(1, `${node.name}_weight`, makeTensor('float32', layer.dims, layer.weights));
  if (layer.hasBias) {
    replace(2, `${node.name}_bias`, makeTensor('float32', [layer.channels], Float32Array.from(layer.bias)));
  }
  if (node.opType === 'Gemm') {
    node.attribute = node.attribute.filter((a) => a.name !== 'beta');
    node.attribute.push(makeAttribute('beta', { f: 1 }));
  }
  node.output[0] = last.output[0]!;
}
