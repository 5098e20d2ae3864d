/**
 * float16 models in float32: int8 kernels and measurements work from float32, and float16 exports
 * hold nothing that float32 does not. The inputs and outputs keep their type behind a Cast, so that
 * whoever feeds the model notices nothing.
 */

import { makeAttribute, subgraphs } from '../onnx/attributes';
import {
  TensorProto_DataType as DataType,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type TypeProto,
  type ValueInfoProto,
} from '../onnx/generated/onnx_pb';
import { canonicalDomain, graphOf, makeNode, shallow, type OnnxModel } from '../onnx/model';
import { elementTypeOf, makeTensorProto, readTensor } from '../onnx/tensorProto';
import { makeTensor, toFloat32 } from '../tensor';
import { freshName, tensorNames, walkGraphs } from './edit';

/** Integer attributes that name an element type (Cast `to`; EyeLike, Random*, Bernoulli `dtype`). */
const TYPE_ATTRIBUTES: readonly string[] = ['to', 'dtype'];

export interface HalfReport {
  readonly tensors: number;
  /** Names of the Cast nodes at the boundary. */
  readonly casts: readonly string[];
}

/**
 * Turns float16 into float32 everywhere inside the model (edited). `undefined`, and no edit, where
 * there is none, or where an input or output is a sequence of float16, which no Cast can convert.
 */
export function halfToFloat(model: OnnxModel): HalfReport | undefined {
  const graph = graphOf(model);
  if (!usesHalf(graph) || [...graph.input, ...graph.output].some((v) => isHalf(v.type) && !isHalfTensor(v))) {
    return undefined;
  }
  const inputs = graph.input.filter(isHalfTensor).map((v) => v.name);
  const outputs = graph.output.filter(isHalfTensor).map((v) => v.name);
  const tensors = convertGraph(graph, model.folder, true);
  return { tensors, casts: addCasts(graph, inputs, outputs) };
}

function usesHalf(graph: GraphProto): boolean {
  for (const { input, output, initializer, node } of walkGraphs(graph)) {
    if ([...input, ...output].some((v) => isHalf(v.type))) return true;
    if (initializer.some(isHalfProto)) return true;
    if (node.some((n) => n.attribute.some((a) => isHalfAttribute(n, a)))) return true;
  }
  return false;
}

function isHalfProto(tensor: TensorProto): boolean {
  return elementTypeOf(tensor.dataType) === 'float16';
}

function isHalfAttribute(node: NodeProto, a: AttributeProto): boolean {
  if (a.t !== undefined) return isHalfProto(a.t);
  if (canonicalDomain(node.domain) !== '') return false;
  return TYPE_ATTRIBUTES.includes(a.name) && a.i === BigInt(DataType.FLOAT16);
}

function isHalfTensor(info: ValueInfoProto): boolean {
  const value = info.type?.value;
  return value?.case === 'tensorType' && elementTypeOf(value.value.elemType) === 'float16';
}

function isHalf(type: TypeProto | undefined): boolean {
  return type !== undefined && floatType(type) !== type;
}

/** The type with float32 for float16, at any depth of sequences and optionals; itself where it has none. */
function floatType(type: TypeProto): TypeProto {
  const { value } = type;
  if (value.case === 'tensorType') {
    if (elementTypeOf(value.value.elemType) !== 'float16') return type;
    return shallow(type, { value: { case: 'tensorType', value: shallow(value.value, { elemType: DataType.FLOAT }) } });
  }
  if (value.case === 'sequenceType') {
    const inner = floatElement(value.value.elemType);
    if (inner === undefined) return type;
    return shallow(type, { value: { case: 'sequenceType', value: shallow(value.value, { elemType: inner }) } });
  }
  if (value.case === 'optionalType') {
    const inner = floatElement(value.value.elemType);
    if (inner === undefined) return type;
    return shallow(type, { value: { case: 'optionalType', value: shallow(value.value, { elemType: inner }) } });
  }
  return type;
}

function floatElement(element: TypeProto | undefined): TypeProto | undefined {
  if (element === undefined) return undefined;
  const converted = floatType(element);
  return converted === element ? undefined : converted;
}

/** @param boundary whether the graph's inputs and outputs keep their types */
function convertGraph(graph: GraphProto, folder: string | undefined, boundary: boolean): number {
  let tensors = 0;
  const floatTensor = (tensor: TensorProto): TensorProto => {
    if (!isHalfProto(tensor)) return tensor;
    tensors++;
    const half = readTensor(tensor, folder);
    const converted = makeTensorProto(tensor.name, makeTensor('float32', half.dims, toFloat32(half)));
    converted.docString = tensor.docString;
    return converted;
  };
  const floatInfo = (info: ValueInfoProto): ValueInfoProto => {
    const type = info.type === undefined ? undefined : floatType(info.type);
    return type === undefined || type === info.type ? info : shallow(info, { type });
  };
  graph.initializer = graph.initializer.map(floatTensor);
  graph.valueInfo = graph.valueInfo.map(floatInfo);
  const constants = new Set(graph.initializer.map((t) => t.name));
  graph.input = graph.input.map((v) => (boundary && !constants.has(v.name) ? v : floatInfo(v)));
  if (!boundary) graph.output = graph.output.map(floatInfo);
  for (const node of graph.node) {
    node.attribute = node.attribute.map((a) => {
      if (!isHalfAttribute(node, a)) return a;
      return a.t === undefined ? makeAttribute(a.name, DataType.FLOAT) : shallow(a, { t: floatTensor(a.t) });
    });
    // Without the attribute ConstantOfShape makes float32 already.
    for (const body of subgraphs(node)) tensors += convertGraph(body, folder, false);
  }
  return tensors;
}

/** Casts between the float16 interface and the float32 inside; inner readers get the float32 tensors. */
function addCasts(graph: GraphProto, inputs: readonly string[], outputs: readonly string[]): string[] {
  const constants = new Set(graph.initializer.map((t) => t.name));
  const tensors = tensorNames(graph);
  const nodes = new Set([...walkGraphs(graph)].flatMap((g) => g.node.map((node) => node.name)));
  const inner = new Map<string, string>();
  const before: NodeProto[] = [];
  const after: NodeProto[] = [];
  const cast = (from: string, to: string, type: DataType, tensor: string): NodeProto =>
    makeNode({
      op: 'Cast',
      name: freshName(nodes, `${tensor}_cast`),
      inputs: [from],
      outputs: [to],
      attributes: { to: type },
    });
  for (const name of inputs) {
    if (constants.has(name)) continue;
    inner.set(name, freshName(tensors, `${name}_float`));
    before.push(cast(name, inner.get(name)!, DataType.FLOAT, name));
  }
  for (const name of outputs) {
    // An output that is an input or an initializer as it stands needs the Cast back only for the latter.
    if (inputs.includes(name) && !constants.has(name)) continue;
    const from = freshName(tensors, `${name}_float`);
    inner.set(name, from);
    after.push(cast(from, name, DataType.FLOAT16, name));
  }
  renameTensors(graph, inner, true);
  graph.node = [...before, ...graph.node, ...after];
  return [...before, ...after].map((node) => node.name);
}

/** Renames what nodes read and make; an inner graph that has a tensor of that name of its own keeps it. */
function renameTensors(graph: GraphProto, renamed: ReadonlyMap<string, string>, outermost: boolean): void {
  const own = new Set<string>();
  if (!outermost) {
    for (const { name } of [...graph.input, ...graph.initializer]) own.add(name);
    for (const node of graph.node) for (const name of node.output) own.add(name);
  }
  const visible = new Map([...renamed].filter(([name]) => !own.has(name)));
  const rename = (name: string): string => visible.get(name) ?? name;
  for (const node of graph.node) {
    node.input = node.input.map(rename);
    if (outermost) node.output = node.output.map(rename);
    for (const body of subgraphs(node)) renameTensors(body, visible, false);
  }
  if (outermost) {
    graph.initializer = graph.initializer.map((t) => (visible.has(t.name) ? shallow(t, { name: rename(t.name) }) : t));
    graph.valueInfo = graph.valueInfo.map((v) => (visible.has(v.name) ? shallow(v, { name: rename(v.name) }) : v));
  } else {
    graph.output = graph.output.map((v) => (visible.has(v.name) ? shallow(v, { name: rename(v.name) }) : v));
  }
}
