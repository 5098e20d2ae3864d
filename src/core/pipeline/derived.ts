/**
 * Tensors that need not be measured, for they hold the very values of others: what only changes its
 * shape, and what a Concat puts together. Not reading them out saves a third of the memory traffic
 * of calibrating a network of many branches.
 */

import { TensorStats } from '../calibrate/histogram';
import { opKey, outputOf, type Graph } from '../onnx/graph';

const REARRANGES: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose']);

/** By tensor, the tensors whose values it holds; in graph order, so that sources come before what is made of them. */
export function derivedTensors(graph: Graph, wanted: ReadonlySet<string>): Map<string, readonly string[]> {
  const derived = new Map<string, readonly string[]>();
  for (const node of graph.nodes) {
    const op = opKey(node);
    const sources = op === 'Concat' ? node.input : REARRANGES.has(op) ? node.input.slice(0, 1) : [];
    if (sources.length === 0 || node.output.length !== 1 || !wanted.has(outputOf(node))) continue;
    if (sources.every((name) => wanted.has(name))) derived.set(outputOf(node), sources);
  }
  return derived;
}

/** The measured statistics and those that follow from them. */
export function addDerived(
  measured: ReadonlyMap<string, TensorStats>,
  derived: ReadonlyMap<string, readonly string[]>,
): Map<string, TensorStats> {
  const all = new Map(measured);
  for (const [tensor, sources] of derived) {
    const parts = sources.flatMap((name) => all.get(name) ?? []);
    if (parts.length === sources.length) all.set(tensor, TensorStats.together(parts));
  }
  return all;
}
