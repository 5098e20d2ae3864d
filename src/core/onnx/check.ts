/**
 * The structural rules a model must keep before anything walks its graph. Model files are
 * untrusted: whatever is wrong ends in one typed error, never in a hang or an exception from deep
 * inside.
 */

import { QuantscopeError } from '../../shared/errors';
import { subgraphs } from './attributes';
import { checkFunctions } from './functions';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './generated/onnx_pb';

/** Deeper nesting is an attack on the stack, not a network. */
const MAX_SUBGRAPH_DEPTH = 32;

/** @throws `model-unreadable`, `opset-missing`, `model-invalid` */
export function checkModel(model: ModelProto): void {
  if (model.graph === undefined)
    throw new QuantscopeError('model-unreadable', 'The file holds no graph: it is empty or not an ONNX model.');
  if (model.opsetImport.length === 0) throw new QuantscopeError('opset-missing', 'The model imports no operator set.');
  for (const { domain, version } of model.opsetImport) {
    if (version < 1n || version > 1_000_000n) invalid(`The operator set "${domain}" has the version ${version}.`);
  }
  checkGraph(model.graph, new Set(), 0);
  checkFunctions(model);
}

function checkGraph(graph: GraphProto, outer: ReadonlySet<string>, depth: number): void {
  if (depth > MAX_SUBGRAPH_DEPTH) invalid(`Subgraphs are nested more than ${MAX_SUBGRAPH_DEPTH} deep.`);
  for (const tensor of graph.initializer) checkDims(tensor);

  const known = new Set(outer);
  for (const { name } of graph.input) known.add(name);
  for (const { name } of graph.initializer) known.add(name);
  for (const { values } of graph.sparseInitializer) if (values !== undefined) known.add(values.name);

  const own = new Set([...graph.input, ...graph.initializer].map((v) => v.name));
  for (const node of graph.node) {
    for (const output of node.output) {
      if (output === '') continue;
      if (own.has(output)) invalid(`The tensor "${output}" is made twice.`);
      own.add(output);
    }
  }
  for (const node of sortTopologically(graph.node, known, own)) {
    for (const tensor of node.attribute.flatMap((a) => (a.t === undefined ? a.tensors : [a.t]))) checkDims(tensor);
    for (const body of subgraphs(node)) checkGraph(body, known, depth + 1);
  }
  for (const { name } of graph.output) {
    if (!known.has(name)) invalid(`The graph output "${name}" is made by no node.`);
  }
}

/**
 * Nodes in an order in which every input is made before it is used; the file's order where that
 * already holds. Adds the nodes' outputs to `known`.
 * @throws `model-invalid` for cycles and for inputs that nothing makes
 */
export function sortTopologically(
  nodes: readonly NodeProto[],
  known: Set<string>,
  own: ReadonlySet<string>,
): NodeProto[] {
  const sorted: NodeProto[] = [];
  const waiting = new Map<string, NodeProto[]>();
  const missing = new Map<NodeProto, number>();
  const ready = (node: NodeProto): void => {
    const queue = [node];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      sorted.push(next);
      for (const output of next.output) {
        known.add(output);
        for (const waiter of waiting.get(output) ?? []) {
          const left = missing.get(waiter)! - 1;
          missing.set(waiter, left);
          if (left === 0) queue.push(waiter);
        }
        waiting.delete(output);
      }
    }
  };
  for (const node of nodes) {
    const needs = new Set([...node.input, ...outerReferences(node)].filter((name) => name !== '' && !known.has(name)));
    for (const name of needs) {
      if (!own.has(name))
        invalid(`Node "${node.name || node.opType}" reads the tensor "${name}", which nothing makes.`);
      const list = waiting.get(name);
      if (list === undefined) waiting.set(name, [node]);
      else list.push(node);
    }
    missing.set(node, needs.size);
    if (needs.size === 0) ready(node);
  }
  if (sorted.length < nodes.length) {
    const stuck = nodes.filter((node) => missing.get(node)! > 0).map((node) => node.name || node.opType);
    invalid(`The graph has a cycle through node "${stuck[0] ?? ''}".`);
  }
  return sorted;
}

/** Tensors of the enclosing graph that the subgraphs of a node read. */
export function outerReferences(node: NodeProto): string[] {
  return subgraphs(node).flatMap((graph) => freeNames(graph, 1));
}

function freeNames(graph: GraphProto, depth: number): string[] {
  if (depth > MAX_SUBGRAPH_DEPTH) invalid(`Subgraphs are nested more than ${MAX_SUBGRAPH_DEPTH} deep.`);
  const inner = new Set([...graph.input, ...graph.initializer].map((v) => v.name));
  for (const { values } of graph.sparseInitializer) if (values !== undefined) inner.add(values.name);
  for (const node of graph.node) for (const output of node.output) inner.add(output);
  const used = graph.node.flatMap((node) => [
    ...node.input,
    ...subgraphs(node).flatMap((g) => freeNames(g, depth + 1)),
  ]);
  return [...used, ...graph.output.map((o) => o.name)].filter((name) => name !== '' && !inner.has(name));
}

function checkDims(tensor: TensorProto): void {
  // Rejecting at the first excess keeps a million dimensions from growing one giant product.
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  const empty = tensor.dims.includes(0n);
  let count = 1n;
  for (const dim of tensor.dims) {
    if (dim < 0n) invalid(`Tensor "${tensor.name}" has the dimension ${dim}.`);
    if (dim > limit) invalid(`Tensor "${tensor.name}" claims the dimension ${dim}.`);
    if (!empty) count *= dim;
    if (count > limit) invalid(`Tensor "${tensor.name}" claims ${count} elements or more.`);
  }
}

function invalid(message: string): never {
  throw new QuantscopeError('model-invalid', message);
}
