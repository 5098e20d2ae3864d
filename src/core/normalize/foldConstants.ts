/**
 * Folding of constant subgraphs. The runtime's kernels compute the values, but its graph optimizer
 * is not used: it also merges equal nodes, moves transposes, renames initializers and drops
 * metadata, whereas layers are matched between the float and the int8 model by their names. So the
 * constant part is cut out, run once as a model without inputs, and its results become initializers.
 */

import { create } from '@bufbuild/protobuf';
import { attribute, intAttribute, subgraphs } from '../onnx/attributes';
import { Dependence, NEVER_FIXED } from '../onnx/dependence';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
  type NodeProto,
  type TensorProto,
} from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { canonicalDomain, cloneModel, graphOf, shallow, type OnnxModel } from '../onnx/model';
import { dimsOf, elementTypeOf, makeTensorProto } from '../onnx/tensorProto';
import { nameOnly } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { allocate, bytesPerElement, elementCount, makeTensor, type Tensor } from '../tensor';
import { prune, readsOf } from './edit';
import type { Shape, ShapeOf } from './shapes';

/** Never folded although their inputs are constant: sequences cannot be initializers, and see {@link Dependence}. */
const KEPT = /Sequence|^Optional/;

/** Results up to this size are always stored; larger ones only where they are no larger than what they were made of. */
const FREE_BYTES = 2 ** 20;
/** A weight larger than this that others go on reading is not stored a second time in another form. */
const SHARED_BYTES = 2 ** 12;
/** What folding may compute: this many elements, and so many times the model's own. */
const FREE_ELEMENTS = 2 ** 25;
const TIMES_THE_MODEL = 4;

export interface Folded {
  /** Names of the nodes that are gone. */
  readonly gone: readonly string[];
  /** Whether some stayed because their results may be too large, for all that is known of shapes. */
  readonly tooLarge: boolean;
}

/**
 * Replaces constant subgraphs of the main graph (edited) by initializers of the same tensor names.
 * A `Shape` of a tensor whose shape is known counts as constant.
 */
export async function foldConstants(model: OnnxModel, shapeOf: ShapeOf): Promise<Folded> {
  const graph = new Graph(model);
  const { folded, tooLarge } = foldableNodes(graph, shapeOf);
  const ready = new Map<string, TensorProto>();
  for (const node of folded) {
    const value = immediateValue(node, shapeOf);
    if (value !== undefined) ready.set(node.output[0]!, value);
  }
  const compute = (missing: readonly string[]): Promise<Record<string, Tensor>> =>
    computeConstants(model, graph, folded, ready, missing);
  return { gone: await replaceBy(graph, folded, ready, compute), tooLarge };
}

/**
 * Replaces what follows from the shapes of the inputs alone, where those are fixed: the network runs once,
 * on zeros, as far as such tensors need it. Shape by shape it would take a session for each reshaping in a row.
 */
export async function foldShapes(model: OnnxModel): Promise<string[]> {
  const graph = new Graph(model);
  const dependence = new Dependence(graph);
  const folded = graph.nodes.filter(
    (node) => node.output.every((name) => dependence.isFixed(name) && !graph.isOutput(name)) && isFoldable(node, graph),
  );
  return replaceBy(graph, folded, new Map(), (missing) => runOnZeros(model, graph, missing));
}

/** Puts initializers in the place of tensors that folded nodes make and others read. */
async function replaceBy(
  graph: Graph,
  folded: readonly NodeProto[],
  ready: ReadonlyMap<string, TensorProto>,
  compute: (tensors: readonly string[]) => Promise<Record<string, Tensor>>,
): Promise<string[]> {
  const { proto } = graph;
  const gone = new Set(folded);
  const computed = new Set(folded.flatMap((node) => node.output));
  const wanted = frontier(graph, gone).filter((name) => computed.has(name));
  const missing = wanted.filter((name) => !ready.has(name));
  const results = missing.length === 0 ? {} : await compute(missing);

  const values = new Map([...ready].filter(([name]) => wanted.includes(name)));
  for (const [name, tensor] of Object.entries(results)) {
    if (isWorthStoring(graph, gone, name, tensor)) values.set(name, makeTensorProto(name, tensor));
  }
  // The producers lose their outputs to the initializers; prune then takes what nothing else reads.
  const before = new Set(proto.node.map((node) => node.name));
  proto.node = proto.node.filter((node) => node.output.length === 0 || !node.output.every((name) => values.has(name)));
  for (const node of proto.node) {
    if (node.output.some((name) => values.has(name))) node.output = node.output.map((n) => (values.has(n) ? '' : n));
  }
  proto.initializer = [...proto.initializer, ...values.values()];
  const roots = folded.flatMap((node) => node.input).filter((name) => graph.isInitializer(name));
  const leading = neededNodes(graph, graph.nodes, [...computed], new Map()).flatMap((node) => node.output);
  prune(proto, new Set([...leading, ...roots]));
  for (const node of proto.node) before.delete(node.name);
  return [...before];
}

function isFoldable(node: NodeProto, graph: Graph): boolean {
  if (canonicalDomain(node.domain) !== '' || KEPT.test(node.opType) || NEVER_FIXED.has(node.opType)) return false;
  return subgraphs(node).length === 0 && !node.output.some((name) => graph.isOutput(name));
}

function foldableNodes(graph: Graph, shapeOf: ShapeOf): { folded: NodeProto[]; tooLarge: boolean } {
  let tooLarge = false;
  const sizes = new ConstantSizes(graph, shapeOf);
  const constant = new Set(graph.proto.initializer.map((tensor) => tensor.name));
  const folded: NodeProto[] = [];
  for (const node of graph.nodes) {
    if (!isFoldable(node, graph)) continue;
    const known = node.input.every((name) => name === '' || constant.has(name));
    if (known ? isOpaque(node) : immediateValue(node, shapeOf) === undefined) continue;
    if (!sizes.admit(node)) {
      tooLarge = true;
      continue;
    }
    folded.push(node);
    for (const name of node.output) if (name !== '') constant.add(name);
  }
  return { folded, tooLarge };
}

/** Operators whose outputs hold no more than their first input. */
const NEVER_LARGER =
  /^(Abs|ArgM\w+|Cast|Ceil|Constant|Cos|Erf|Exp|Flatten|Floor|Identity|Log|Neg|Not|Reciprocal|Reduce\w+|Reshape|Round|Shape|Sigmoid|Sign|Sin|Size|Slice|Softmax|Split|Sqrt|Squeeze|Tanh|Transpose|Unsqueeze)$/;
/** Operators whose size is the value of an input: unknown until the runtime can infer it. */
const SIZED_BY_VALUE =
  /^(AffineGrid|CenterCropPad|Col2Im|ConstantOfShape|Expand|\w+Window|MelWeightMatrix|OneHot|Pad|Range|Resize|Tile|Upsample)$/;

/** How many elements constant tensors have at most, so that a few bytes of model do not become gigabytes. */
class ConstantSizes {
  readonly #shapeOf: ShapeOf;
  readonly #sizes: Map<string, number>;
  #left: number;

  constructor(graph: Graph, shapeOf: ShapeOf) {
    this.#shapeOf = shapeOf;
    this.#sizes = new Map(graph.proto.initializer.map((tensor) => [tensor.name, elementCount(dimsOf(tensor))]));
    this.#left = FREE_ELEMENTS + TIMES_THE_MODEL * [...this.#sizes.values()].reduce((a, b) => a + b, 0);
  }

  /** Whether the outputs of a node fit what is left; they are then counted. */
  admit(node: NodeProto): boolean {
    const sizes = node.output.map((name) => (name === '' ? 0 : this.#sizeOf(node, name)));
    const sum = sizes.reduce((a, b) => a + b, 0);
    if (sum > this.#left) return false;
    this.#left -= sum;
    node.output.forEach((name, i) => this.#sizes.set(name, sizes[i]!));
    return true;
  }

  #sizeOf(node: NodeProto, output: string): number {
    const shape = staticShape(this.#shapeOf(output));
    if (shape !== undefined) return elementCount(shape);
    if (node.opType === 'Constant')
      return elementCount(dimsOf(constantValue(node, output) ?? create(TensorProtoSchema)));
    if (SIZED_BY_VALUE.test(node.opType)) return Infinity;
    const inputs = node.input.filter((name) => name !== '').map((name) => Math.max(1, this.#sizes.get(name) ?? 1));
    if (node.opType === 'Concat' || node.opType === 'NonZero') return inputs.reduce((a, b) => a + b, 0) * MAX_RANK;
    // Broadcast and products: no more than every element of one with every one of the others.
    return NEVER_LARGER.test(node.opType) ? (inputs[0] ?? 1) : inputs.reduce((a, b) => a * b, 1);
  }
}

/** NonZero gives an index for each axis. */
const MAX_RANK = 8;

/** Constants of strings or in sparse form stay nodes: nothing here can store them. */
function isOpaque(node: NodeProto): boolean {
  return node.opType === 'Constant' && immediateValue(node, () => undefined) === undefined;
}

/** The value of a `Constant`, or of a `Shape` or `Size` of a known shape, without running anything. */
function immediateValue(node: NodeProto, shapeOf: ShapeOf): TensorProto | undefined {
  const [output = ''] = node.output;
  if (node.opType === 'Constant') return constantValue(node, output);
  if (node.opType !== 'Shape' && node.opType !== 'Size') return undefined;
  const dims = staticShape(shapeOf(node.input[0] ?? ''));
  if (dims === undefined) return undefined;
  if (node.opType === 'Size') return int64Proto(output, [], [dims.reduce((a, b) => a * b, 1)]);
  // Negative or too large bounds count from the end and are clamped, as Array.slice does (Shape-15).
  const part = dims.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', dims.length));
  return int64Proto(output, [part.length], part);
}

function constantValue(node: NodeProto, name: string): TensorProto | undefined {
  if (node.opType !== 'Constant') return undefined;
  const value = attribute(node, 'value')?.t;
  if (value !== undefined) return elementTypeOf(value.dataType) === undefined ? undefined : shallow(value, { name });
  const single = attribute(node, 'value_float') ?? attribute(node, 'value_floats');
  if (single !== undefined) {
    const list = single.name === 'value_float' ? [single.f] : single.floats;
    const dims = single.name === 'value_float' ? [] : [list.length];
    return makeTensorProto(name, makeTensor('float32', dims, Float32Array.from(list)));
  }
  const int = attribute(node, 'value_int') ?? attribute(node, 'value_ints');
  if (int === undefined) return undefined;
  const list = int.name === 'value_int' ? [int.i] : int.ints;
  const dims = int.name === 'value_int' ? [] : [list.length];
  return makeTensorProto(name, makeTensor('int64', dims, BigInt64Array.from(list)));
}

function int64Proto(name: string, dims: readonly number[], values: readonly number[]): TensorProto {
  return makeTensorProto(name, makeTensor('int64', dims, BigInt64Array.from(values, BigInt)));
}

export function staticShape(shape: Shape | undefined): number[] | undefined {
  if (shape === undefined) return undefined;
  const dims = shape.filter((d): d is number => typeof d === 'number' && d >= 0);
  return dims.length === shape.length ? dims : undefined;
}

/** Tensors that folded nodes make and others read. */
function frontier(graph: Graph, folded: ReadonlySet<NodeProto>): string[] {
  const names = new Set<string>();
  for (const node of graph.nodes) if (!folded.has(node)) for (const name of readsOf(node)) names.add(name);
  return [...names];
}

/** Runs the nodes as a model of their own; tensors of types that JavaScript does not hold are left out. */
async function computeConstants(
  model: OnnxModel,
  graph: Graph,
  folded: readonly NodeProto[],
  ready: ReadonlyMap<string, TensorProto>,
  wanted: readonly string[],
): Promise<Record<string, Tensor>> {
  const nodes = neededNodes(graph, folded, wanted, ready);
  const reads = new Set(nodes.flatMap((node) => node.input));
  const part = create(GraphProtoSchema, {
    name: 'constants',
    node: nodes,
    initializer: [
      ...graph.proto.initializer.filter((tensor) => reads.has(tensor.name)),
      ...[...ready.values()].filter((tensor) => reads.has(tensor.name)),
    ],
    output: wanted.map(nameOnly),
  });
  const proto = create(ModelProtoSchema, {
    irVersion: model.proto.irVersion,
    opsetImport: model.proto.opsetImport,
    graph: part,
  });
  const session = await openSession(model.folder === undefined ? { proto } : { proto, folder: model.folder }, {
    level: 'disabled',
    threads: 1,
  });
  try {
    return await session.run({});
  } finally {
    await session.close();
  }
}

function neededNodes(
  graph: Graph,
  folded: readonly NodeProto[],
  wanted: readonly string[],
  ready: ReadonlyMap<string, TensorProto>,
): NodeProto[] {
  const needed = new Set<NodeProto>();
  const visit = [...wanted];
  for (let name = visit.pop(); name !== undefined; name = visit.pop()) {
    const node = ready.has(name) ? undefined : graph.producer(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    for (const input of node.input) visit.push(input);
  }
  return folded.filter((node) => needed.has(node));
}

/** Whether every input is a tensor of numbers whose sizes the model names. */
export function hasFixedInputs(model: OnnxModel): boolean {
  const { initializer, input } = graphOf(model);
  const constants = new Set(initializer.map(({ name }) => name));
  return input
    .filter(({ name }) => !constants.has(name))
    .every(({ type }) => {
      if (type?.value.case !== 'tensorType') return false;
      const { elemType, shape } = type.value.value;
      const sizes = shape?.dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : 0));
      return elementTypeOf(elemType) !== undefined && sizes?.every((size) => size > 0) === true;
    });
}

/** The values of tensors that follow from shapes alone. */
async function runOnZeros(model: OnnxModel, graph: Graph, wanted: readonly string[]): Promise<Record<string, Tensor>> {
  const part = cloneModel(model);
  const proto = graphOf(part);
  proto.node = neededNodes(graph, graph.nodes, wanted, new Map());
  const reads = new Set(proto.node.flatMap(readsOf));
  proto.initializer = proto.initializer.filter(({ name }) => reads.has(name));
  proto.input = proto.input.filter(({ name }) => reads.has(name));
  proto.output = wanted.map(nameOnly);
  proto.valueInfo = [];
  const session = await openSession(part, { level: 'disabled' });
  try {
    const feeds = session.inputs.flatMap(({ name, type, shape }) => {
      const dims = staticShape(shape);
      return dims === undefined ? [] : [[name, { type, dims, data: allocate(type, elementCount(dims)) }] as const];
    });
    return await session.run(Object.fromEntries(feeds));
  } finally {
    await session.close();
  }
}

/**
 * Small results are; larger ones where they are no larger than what they were made of, and that is not
 * kept for others, as a table is whose transposed form a product reads.
 */
function isWorthStoring(graph: Graph, folded: ReadonlySet<NodeProto>, name: string, tensor: Tensor): boolean {
  const { byteLength } = tensor.data;
  if (byteLength <= SHARED_BYTES) return true;
  const sources = sourcesOf(graph, folded, name);
  const isKept = (source: string): boolean => graph.uses(source).some(({ node }) => !folded.has(node));
  if ([...sources].some(([source, bytes]) => bytes > SHARED_BYTES && isKept(source))) return false;
  return byteLength <= FREE_BYTES || byteLength <= [...sources.values()].reduce((a, b) => a + b, 0);
}

/** All initializers and constants that folded nodes compute a tensor from, with their bytes. */
function sourcesOf(graph: Graph, folded: ReadonlySet<NodeProto>, tensor: string): ReadonlyMap<string, number> {
  const seen = new Set<string>();
  const sources = new Map<string, number>();
  const visit = [tensor];
  for (let name = visit.pop(); name !== undefined; name = visit.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const producer = graph.producer(name);
    const proto = graph.initializer(name) ?? (producer === undefined ? undefined : constantValue(producer, name));
    if (proto !== undefined) sources.set(name, bytesOf(proto));
    else if (producer !== undefined && folded.has(producer)) visit.push(...producer.input);
  }
  return sources;
}

function bytesOf(proto: TensorProto): number {
  const type = elementTypeOf(proto.dataType);
  return type === undefined ? 0 : elementCount(dimsOf(proto)) * bytesPerElement(type);
}
