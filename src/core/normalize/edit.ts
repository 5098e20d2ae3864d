/** Small edits of a graph that every normalization step needs. All work on a clone (`cloneModel`). */

import { outerReferences } from '../onnx/check';
import { subgraphs } from '../onnx/attributes';
import type { GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import { makeTensorProto } from '../onnx/tensorProto';
import type { Tensor } from '../tensor';

/** A graph and the subgraphs inside it, outermost first. */
export function* walkGraphs(graph: GraphProto): Generator<GraphProto> {
  yield graph;
  for (const node of graph.node) for (const body of subgraphs(node)) yield* walkGraphs(body);
}

/** Every tensor name of a graph and its subgraphs: what a new name must differ from. */
export function tensorNames(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  for (const { node, input, output, initializer } of walkGraphs(graph)) {
    for (const { name } of [...input, ...output, ...initializer]) names.add(name);
    for (const { input: reads, output: makes } of node) for (const name of [...reads, ...makes]) names.add(name);
  }
  return names;
}

/** `base`, or `base_1`, `base_2` … where that is taken; the result is taken from then on. */
export function freshName(taken: Set<string>, base: string): string {
  let name = base;
  for (let i = 1; taken.has(name) || name === ''; i++) name = `${base}_${i}`;
  taken.add(name);
  return name;
}

/** Tensors that a node, a subgraph or the caller reads. */
export function usedTensors(graph: GraphProto): Set<string> {
  const used = new Set(graph.output.map((o) => o.name));
  for (const node of graph.node) for (const name of readsOf(node)) used.add(name);
  return used;
}

/** What a node reads, the outer tensors of its subgraphs included. */
export function readsOf(node: NodeProto): string[] {
  return [...node.input, ...outerReferences(node)].filter((name) => name !== '');
}

/** Removes those of `candidates`, nodes and initializers, that nothing reads any longer. */
export function prune(graph: GraphProto, candidates: ReadonlySet<string>): void {
  const uses = new Map<string, number>();
  const count = (name: string, by: number): number => {
    const left = (uses.get(name) ?? 0) + by;
    uses.set(name, left);
    return left;
  };
  for (const { name } of graph.output) count(name, 1);
  for (const node of graph.node) for (const name of readsOf(node)) count(name, 1);
  const isUnused = (name: string): boolean => candidates.has(name) && (uses.get(name) ?? 0) === 0;
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const dead = new Set<NodeProto>();
  const visit = graph.node.filter((node) => node.output.some((name) => candidates.has(name)));
  for (let node = visit.pop(); node !== undefined; node = visit.pop()) {
    if (dead.has(node) || !node.output.every((name) => name === '' || isUnused(name))) continue;
    dead.add(node);
    for (const name of readsOf(node)) {
      const maker = count(name, -1) === 0 ? makers.get(name) : undefined;
      if (maker !== undefined && candidates.has(name)) visit.push(maker);
    }
  }
  graph.node = graph.node.filter((node) => !dead.has(node));
  graph.initializer = graph.initializer.filter(({ name }) => !isUnused(name));
}

/**
 * Gives one input of a node another constant value.
 * @param graph the graph before any edit
 * @param base of the name where the old one has other readers, or is a Constant node
 */
export function replaceConstant(
  proto: GraphProto,
  graph: Graph,
  taken: Set<string>,
  node: NodeProto,
  index: number,
  base: string,
  tensor: Tensor,
): void {
  const old = node.input[index] ?? '';
  const at = proto.initializer.findIndex((t) => t.name === old);
  const own = at >= 0 && graph.uses(old).length === 1 && !graph.isOutput(old);
  const name = own ? old : freshName(taken, base);
  const made = makeTensorProto(name, tensor);
  if (own) proto.initializer[at] = made;
  else proto.initializer.push(made);
  node.input[index] = name;
  if (!own && old !== '') prune(proto, new Set([old]));
}
