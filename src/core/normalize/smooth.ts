/**
 * SmoothQuant (Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language
 * Models", §4, equations 3 and 4): Y = (X·diag(s)⁻¹)·(diag(s)·W) with s_j = max|X_j|^α / max|W_j|^(1−α) moves outlier
 * channels of activations, which have one scale for all channels, into the weights. The division costs no time: it goes
 * into constants of what makes X, such as scale and bias of a LayerNormalization. Where these cannot take it, X stays
 * as it is. The model computes the same up to rounding.
 */

import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import { makeTensor, type Tensor } from '../tensor';
import { replaceConstant, tensorNames } from './edit';

/** What matrix products read, divided by channel; its channels lie along its last axis. */
export interface SmoothedTensor {
  readonly tensor: string;
  /** Names of the nodes whose constants take the division, then of those that read the tensor. */
  readonly nodes: readonly string[];
  readonly scales: Float64Array;
}

/** Largest magnitude of each channel over all samples, by tensor. */
export type Peaks = ReadonlyMap<string, ArrayLike<number>>;

/** A constant of which each channel is divided, or multiplied back. */
interface Edit {
  readonly node: NodeProto;
  readonly index: number;
  readonly apply: (constant: Tensor<'float32'>, scales: Float64Array) => Tensor<'float32'>;
}

interface Site {
  readonly tensor: string;
  readonly channels: number;
  readonly makers: readonly Edit[];
  readonly readers: readonly (Edit & { readonly channelOf: (index: number) => number })[];
}

/** The tensors of the main graph that {@link smooth} needs the peaks of. */
export function smoothableTensors(model: OnnxModel): readonly string[] {
  return sitesOf(new Graph(model)).map(({ tensor }) => tensor);
}

/** What {@link smooth} would do; the model is not changed. */
export function smoothingOf(model: OnnxModel, peaks: Peaks, strength: number): readonly SmoothedTensor[] {
  return solve(new Graph(model), peaks, strength).smoothed;
}

/**
 * Smooths the main graph (edited).
 * @param strength α: 0 leaves the activations uneven, 1 makes them even; the paper takes 0.5
 */
export function smooth(model: OnnxModel, peaks: Peaks, strength: number): readonly SmoothedTensor[] {
  const proto = graphOf(model);
  const taken = tensorNames(proto);
  const graph = new Graph(model);
  const { constants, smoothed } = solve(graph, peaks, strength);
  for (const [node, values] of constants.changed) {
    for (const [index, tensor] of values) {
      replaceConstant(proto, graph, taken, node, index, `${node.name}_smooth`, tensor);
    }
  }
  return smoothed;
}

/** Constants as they become, since one may be read by a product and be scaled for the next. */
class Constants {
  readonly changed = new Map<NodeProto, Map<number, Tensor<'float32'>>>();
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  get({ node, index }: Pick<Edit, 'node' | 'index'>): Tensor<'float32'> {
    return this.changed.get(node)?.get(index) ?? floats(this.#graph, node.input[index])!;
  }

  set({ node, index }: Edit, value: Tensor<'float32'>): void {
    const values = this.changed.get(node) ?? new Map<number, Tensor<'float32'>>();
    this.changed.set(node, values.set(index, value));
  }
}

function solve(graph: Graph, peaks: Peaks, strength: number): { constants: Constants; smoothed: SmoothedTensor[] } {
  const constants = new Constants(graph);
  const smoothed: SmoothedTensor[] = [];
  // The last first: a weight that makes one tensor and reads another is weighed as it will be.
  for (const site of sitesOf(graph).toReversed()) {
    const { tensor, channels, makers, readers } = site;
    const found = peaks.get(tensor);
    if (found?.length !== channels) continue;
    const scales = scalesOf(found, weightPeaks(site, constants), strength);
    const edits = [...makers, ...readers].map((edit) => [edit, edit.apply(constants.get(edit), scales)] as const);
    if (!edits.every(([, { data }]) => data.every(Number.isFinite))) continue;
    for (const [edit, value] of edits) constants.set(edit, value);
    const nodes = [...new Set([...makers, ...readers].map(({ node }) => node.name))];
    smoothed.push({ tensor, nodes, scales });
  }
  return { constants, smoothed: smoothed.toReversed() };
}

/** 1 for a channel without values or without weights, which has nothing to move. */
function scalesOf(activations: ArrayLike<number>, weights: Float64Array, strength: number): Float64Array {
  return weights.map((w, channel) => {
    const x = activations[channel]!;
    return x > 0 && w > 0 && Number.isFinite(x) ? x ** strength / w ** (1 - strength) : 1;
  });
}

function weightPeaks({ channels, readers }: Site, constants: Constants): Float64Array {
  const peaks = new Float64Array(channels);
  for (const reader of readers) {
    for (const [i, w] of constants.get(reader).data.entries()) {
      const channel = reader.channelOf(i);
      peaks[channel] = Math.max(peaks[channel]!, Math.abs(w));
    }
  }
  return peaks;
}

function sitesOf(graph: Graph): Site[] {
  const tensors = new Set(graph.nodes.flatMap((node) => (readerOf(graph, node) === undefined ? [] : node.input[0]!)));
  return [...tensors].flatMap((tensor) => {
    const uses = graph.uses(tensor);
    const readers = uses.flatMap(({ node, index }) => (index === 0 ? (readerOf(graph, node) ?? []) : []));
    const channels = readers[0]?.channels ?? 0;
    // Another reader, or the caller, would see the divided values.
    if (readers.length < uses.length || graph.isOutput(tensor) || channels < 2) return [];
    if (readers.some((reader) => reader.channels !== channels)) return [];
    const makers = makersOf(graph, tensor, channels);
    return makers === undefined ? [] : [{ tensor, channels, makers, readers }];
  });
}

/** The weight of a product, whose rows meet the channels of what it reads. */
function readerOf(graph: Graph, node: NodeProto): (Site['readers'][number] & { channels: number }) | undefined {
  const op = opKey(node);
  if (op !== 'MatMul' && op !== 'Gemm') return undefined;
  const weight = floats(graph, node.input[1]);
  const columnsFirst = op === 'Gemm' && intAttribute(node, 'transB', 0) !== 0;
  if (weight?.dims.length !== 2 || (op === 'Gemm' && intAttribute(node, 'transA', 0) !== 0)) return undefined;
  const [first, second] = weight.dims as [number, number];
  const channelOf = columnsFirst ? (i: number): number => i % second : (i: number): number => Math.floor(i / second);
  return {
    ...{ node, index: 1, channelOf, channels: columnsFirst ? second : first },
    apply: ({ dims, data }, scales) =>
      makeTensor(
        'float32',
        dims,
        data.map((w, i) => w * scales[channelOf(i)]!),
      ),
  };
}

/** These leave each channel where it is, and f(s·x) = s·f(x) for s > 0. */
const HOMOGENEOUS: ReadonlySet<string> = new Set(['Relu', 'LeakyRelu', 'Identity', 'Dropout']);

/** The constants by which the channels of a tensor can be divided; `undefined` where there are none. */
function makersOf(graph: Graph, tensor: string, channels: number): Edit[] | undefined {
  const node = graph.producer(tensor);
  if (node?.output[0] !== tensor) return undefined;
  const before = (index: number): Edit[] | undefined => {
    const input = node.input[index] ?? '';
    return graph.soleConsumer(input) === node ? makersOf(graph, input, channels) : undefined;
  };
  const vector = (index: number, power: 1 | -1 = -1): Edit[] | undefined =>
    vectorEdit(graph, node, index, channels, power);
  const op = opKey(node);
  if (HOMOGENEOUS.has(op)) return node.output.slice(1).every((name) => name === '') ? before(0) : undefined;
  switch (op) {
    case 'LayerNormalization':
      return both(vector(1), (node.input[2] ?? '') === '' ? [] : vector(2));
    case 'MatMul':
    case 'Gemm':
      return both(columnsEdit(graph, node, channels), (node.input[2] ?? '') === '' ? [] : vector(2));
    case 'Mul':
      return vector(0) ?? vector(1) ?? before(0) ?? before(1);
    case 'Div':
      return vector(1, 1) ?? vector(0) ?? before(0);
    case 'Add':
    case 'Sub':
      return both(vector(1) ?? before(1), vector(0) ?? before(0));
    default:
      return undefined;
  }
}

function both(first: Edit[] | undefined, second: Edit[] | undefined): Edit[] | undefined {
  return first === undefined || second === undefined ? undefined : [...first, ...second];
}

/**
 * A constant with one value for each channel. Not one number for all of them: that is mostly a part of an activation
 * that the runtime knows as a whole, such as the half of a GELU, and would no longer find.
 */
function vectorEdit(graph: Graph, node: NodeProto, index: number, channels: number, power: 1 | -1): Edit[] | undefined {
  const constant = floats(graph, node.input[index]);
  if (constant?.dims.at(-1) !== channels || constant.data.length !== channels) return undefined;
  const apply: Edit['apply'] = ({ dims, data }, scales) =>
    makeTensor(
      'float32',
      dims,
      data.map((value, c) => value * scales[c]! ** power),
    );
  return [{ node, index, apply }];
}

/** The weight of a product, whose columns make the channels of what it writes. */
function columnsEdit(graph: Graph, node: NodeProto, channels: number): Edit[] | undefined {
  const dims = floats(graph, node.input[1])?.dims;
  if (dims?.length !== 2) return undefined;
  const [first, second] = dims as [number, number];
  const rowsFirst = opKey(node) === 'MatMul' || intAttribute(node, 'transB', 0) === 0;
  if ((rowsFirst ? second : first) !== channels) return undefined;
  const channelOf = rowsFirst ? (i: number): number => i % second : (i: number): number => Math.floor(i / second);
  const apply: Edit['apply'] = (constant, scales) =>
    makeTensor(
      'float32',
      constant.dims,
      constant.data.map((w, i) => w / scales[channelOf(i)]!),
    );
  return [{ node, index: 1, apply }];
}

function floats(graph: Graph, name: string | undefined): Tensor<'float32'> | undefined {
  const found = name === undefined || name === '' ? undefined : graph.constant(name);
  return found?.type === 'float32' ? (found as Tensor<'float32'>) : undefined;
}
