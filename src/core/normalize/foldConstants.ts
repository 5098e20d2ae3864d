/**
 * Folding of constant subgraphs. The runtime's kernels compute the values, but its graph optimizer
 * is not used: it also merges equal nodes, moves transposes, renames initializers and drops
 * metadata, whereas layers are matched between the float and the int8 model by their names. So the
 * constant part is cut out, run once as a model without inputs, and its results become initializers.
 */

import { create } from '@bufbuild/protobuf';
import { attribute, intAttribute } from '../onnx/attributes';
import { GraphProtoSchema, ModelProtoSchema, type NodeProto, type TensorProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { canonicalDomain, graphOf, shallow, type OnnxModel } from '../onnx/model';
import { elementTypeOf, makeTensorProto } from '../onnx/tensorProto';
import { nameOnly } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { makeTensor, type Tensor } from '../tensor';
import { prune, readsOf } from './edit';
import type { Shape, ShapeOf } from './shapes';

/**
 * Never folded although their inputs are constant: random ones differ from run to run, sequences
 * cannot be initializers, and a DequantizeLinear of a weight is the quantized form itself.
 */
const KEPT: ReadonlySet<string> = new Set([
  'Bernoulli',
  'Dropout',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Optional',
  'SequenceConstruct',
  'SequenceEmpty',
  'SplitToSequence',
  'QuantizeLinear',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
]);

/** Results up to this size are always stored; larger ones only where they are no larger than what they were made of. */
const FREE_BYTES = 2 ** 20;

/**
 * Replaces constant subgraphs of the main graph (edited) by initializers of the same tensor names.
 * A `Shape` of a tensor whose shape is known counts as constant. Returns the names of the nodes
 * that are gone.
 */
export async function foldConstants(model: OnnxModel, shapeOf: ShapeOf): Promise<string[]> {
  const proto = graphOf(model);
  const graph = new Graph(model);
  const folded = foldableNodes(graph, shapeOf);
  const computed = new Set(folded.flatMap((node) => node.output));
  const wanted = frontier(graph, new Set(folded)).filter((name) => computed.has(name));

  const ready = new Map<string, TensorProto>();
  for (const node of folded) {
    const value = immediateValue(node, shapeOf);
    if (value !== undefined) ready.set(node.output[0]!, value);
  }
  const missing = wanted.filter((name) => !ready.has(name));
  const results = missing.length === 0 ? {} : await computeConstants(model, graph, folded, ready, missing);

  const values = new Map([...ready].filter(([name]) => wanted.includes(name)));
  for (const [name, tensor] of Object.entries(results)) {
    if (isWorthStoring(graph, name, tensor)) values.set(name, makeTensorProto(name, tensor));
  }
  // The producers lose their outputs to the initializers; prune then takes what nothing else reads.
  const before = new Set(proto.node.map((node) => node.name));
  proto.node = proto.node.filter((node) => node.output.length === 0 || !node.output.every((name) => values.has(name)));
  for (const node of proto.node) {
    if (node.output.some((name) => values.has(name))) node.output = node.output.map((n) => (values.has(n) ? '' : n));
  }
  proto.initializer = [...proto.initializer, ...values.values()];
  const roots = folded.flatMap((node) => node.input);
  prune(proto, new Set([...computed, ...roots.filter((name) => graph.isInitializer(name))]));
  for (const node of proto.node) before.delete(node.name);
  return [...before];
}

function foldableNodes(graph: Graph, shapeOf: ShapeOf): NodeProto[] {
  const constant = new Set(graph.proto.initializer.map((tensor) => tensor.name));
  const folded: NodeProto[] = [];
  for (const node of graph.nodes) {
    if (canonicalDomain(node.domain) !== '' || KEPT.has(node.opType)) continue;
    if (node.attribute.some((a) => a.g !== undefined || a.graphs.length > 0)) continue;
    if (node.output.some((name) => graph.isOutput(name))) continue;
    const known = node.input.every((name) => name === '' || constant.has(name));
    if (known ? isOpaque(node) : immediateValue(node, shapeOf) === undefined) continue;
    folded.push(node);
    for (const name of node.output) if (name !== '') constant.add(name);
  }
  return folded;
}

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

function isWorthStoring(graph: Graph, name: string, tensor: Tensor): boolean {
  return tensor.data.byteLength <= FREE_BYTES || tensor.data.byteLength <= sourceBytes(graph, name);
}

/** Bytes of all initializers and constants that a tensor is computed from. */
function sourceBytes(graph: Graph, tensor: string): number {
  const seen = new Set<string>();
  const visit = [tensor];
  let bytes = 0;
  for (let name = visit.pop(); name !== undefined; name = visit.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (graph.isConstant(name)) bytes += graph.constant(name)?.data.byteLength ?? 0;
    else for (const input of graph.producer(name)?.input ?? []) visit.push(input);
  }
  return bytes;
}
