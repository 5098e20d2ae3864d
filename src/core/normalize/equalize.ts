/**
 * Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
 * Correction", §4.1). Where nothing but positively homogeneous operators, f(s·x) = s·f(x) for s > 0, stand between two
 * layers, a channel may be divided by s in the first and multiplied by s in the second. With
 * s = √(r₁·r₂)/r₂ the weights of the channel get the same range r on both sides, and what flows between them becomes
 * as even as the weights are. The model computes the same up to rounding.
 */

import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import { tensorNames } from './edit';
import { applyAffine, readLayer, writeLayer, type Layer } from './foldBatchnorm';

/** Two layers with what lies between them. */
export interface EqualizedPair {
  /** Names of the nodes. */
  readonly first: string;
  readonly second: string;
  /** From the output of the first to the input of the second. */
  readonly tensors: readonly string[];
  /** By what each channel of these tensors is divided. */
  readonly scales: Float64Array;
}

interface Pair {
  readonly first: NodeProto;
  readonly second: NodeProto;
  readonly tensors: readonly string[];
  /** Channel of the first layer that a weight of the second reads. */
  readonly readBy: (index: number) => number;
  readonly scales: Float64Array;
}

/** f(s·x) = s·f(x) for each channel by itself. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  ...['Relu', 'LeakyRelu', 'PRelu', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
  ...['Identity', 'Dropout', 'Flatten'],
]);
/** Chains settle in a few rounds, since each pair meets its neighbours' new ranges. */
const MOST_ROUNDS = 30;
const SETTLED = 1e-3;

/** What {@link equalize} would do; the model is not changed. */
export function equalizationOf(model: OnnxModel): readonly EqualizedPair[] {
  return solve(new Graph(model)).pairs.map(({ first, second, tensors, scales }) => ({
    ...{ first: first.name, second: second.name, tensors, scales },
  }));
}

/** How uneven the channels are that would be made even: the largest quotient of two scales; 1 without a pair. */
export function unevenness(pairs: readonly Pick<EqualizedPair, 'scales'>[]): number {
  // There may be more channels than a function may have arguments.
  const extreme = (scales: Float64Array, of: (a: number, b: number) => number): number =>
    scales.reduce((a, b) => of(a, b));
  return Math.max(1, ...pairs.map(({ scales }) => extreme(scales, Math.max) / extreme(scales, Math.min)));
}

/** Equalizes the main graph (edited). @returns the pairs whose weights have changed */
export function equalize(model: OnnxModel): readonly EqualizedPair[] {
  const proto = graphOf(model);
  const taken = tensorNames(proto);
  const graph = new Graph(model);
  const { pairs, layers } = solve(graph);
  const changed = pairs.filter(({ scales }) => scales.some((s) => Math.abs(s - 1) > SETTLED));
  for (const node of new Set(changed.flatMap(({ first, second }) => [first, second]))) {
    writeLayer(proto, graph, taken, node, node, layers.get(node)!);
  }
  return changed.map(({ first, second, tensors, scales }) => ({
    ...{ first: first.name, second: second.name, tensors, scales },
  }));
}

function solve(graph: Graph): { readonly pairs: readonly Pair[]; readonly layers: ReadonlyMap<NodeProto, Layer> } {
  const layers = new Map<NodeProto, Layer>();
  for (const node of graph.nodes) {
    const layer = readLayer(graph, node);
    if (layer !== undefined) layers.set(node, layer);
  }
  const pairs = graph.nodes.flatMap((node) => pairFrom(graph, node, layers) ?? []);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let moved = 0;
    for (const pair of pairs) moved = Math.max(moved, balance(pair, layers));
    if (moved < SETTLED) break;
  }
  return { pairs, layers };
}

/** The layer and the next one, where each reads the other's channels alone. */
function pairFrom(graph: Graph, first: NodeProto, layers: ReadonlyMap<NodeProto, Layer>): Pair | undefined {
  const made = layers.get(first);
  if (made === undefined) return undefined;
  const tensors: string[] = [];
  let tensor = first.output[0] ?? '';
  for (;;) {
    tensors.push(tensor);
    const next = graph.soleConsumer(tensor);
    if (next === undefined) return undefined;
    const read = layers.get(next);
    if (read !== undefined) {
      const readBy = next.input[0] === tensor ? channelsReadBy(next, read, made.channels) : undefined;
      return readBy === undefined
        ? undefined
        : { first, second: next, tensors, readBy, scales: new Float64Array(made.channels).fill(1) };
    }
    if (!passes(next, tensor)) return undefined;
    tensor = next.output[0] ?? '';
  }
}

function passes(node: NodeProto, tensor: string): boolean {
  if (!HOMOGENEOUS.has(opKey(node)) || node.input[0] !== tensor) return false;
  if (node.output.slice(1).some((name) => name !== '')) return false;
  // Other axes would mix the channels with the batch.
  return node.opType !== 'Flatten' || intAttribute(node, 'axis', 1) === 1;
}

/** Which channel of its input each weight of a layer meets; `undefined` where that is not as many as there are. */
function channelsReadBy(node: NodeProto, { dims }: Layer, channels: number): ((index: number) => number) | undefined {
  const [outs = 0, second = 0] = dims;
  if (node.opType === 'Conv') {
    const group = intAttribute(node, 'group', 1);
    const inner = dims.slice(2).reduce((a, b) => a * b, 1);
    if (second * group !== channels || outs % group !== 0) return undefined;
    const perGroup = outs / group;
    return (i) => Math.floor(Math.floor(i / (second * inner)) / perGroup) * second + (Math.floor(i / inner) % second);
  }
  if (node.opType !== 'Gemm' || intAttribute(node, 'transA', 0) !== 0) return undefined;
  const transposed = intAttribute(node, 'transB', 0) !== 0;
  const features = transposed ? second : outs;
  // After a Flatten each channel is as many features in a row as it had places.
  if (features % channels !== 0) return undefined;
  const places = features / channels;
  return (i) => Math.floor((transposed ? i % second : Math.floor(i / second)) / places);
}

/** One step of a pair. @returns the largest |ln s| */
function balance({ first, second, readBy, scales }: Pair, layers: Map<NodeProto, Layer>): number {
  const [made, read] = [layers.get(first)!, layers.get(second)!];
  const [r1, r2] = [new Float64Array(made.channels), new Float64Array(made.channels)];
  for (const [i, w] of made.weights.entries()) raise(r1, made.channelOf(i), w);
  for (const [i, w] of read.weights.entries()) raise(r2, readBy(i), w);
  // A channel without weights on a side carries nothing that could be made even.
  const step = r1.map((range, c) => (range > 0 && r2[c]! > 0 ? Math.sqrt(range / r2[c]!) : 1));
  const divided = applyAffine(made, { scale: step.map((s) => 1 / s), shift: new Float64Array(made.channels) });
  const multiplied = read.weights.map((w, i) => w * step[readBy(i)]!);
  if (divided === undefined || !multiplied.every(Number.isFinite)) return 0;
  layers.set(first, { ...divided, hasBias: made.hasBias });
  layers.set(second, { ...read, weights: multiplied });
  for (const [c, s] of step.entries()) scales[c]! *= s;
  return step.reduce((most, s) => Math.max(most, Math.abs(Math.log(s))), 0);
}

function raise(ranges: Float64Array, channel: number, weight: number): void {
  ranges[channel] = Math.max(ranges[channel]!, Math.abs(weight));
}
