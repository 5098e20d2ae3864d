/**
 * Many variants of one model in one graph. A variant replaces a few tensors; what lies before them is
 * computed once for all, only what follows is copied. No batch axis is used, so that any operator may
 * follow, and every copy runs the very kernels that the variant alone would run.
 */

import { subgraphs } from '../onnx/attributes';
import { outerReferences } from '../onnx/check';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import { cloneModel, cloneNode, graphOf, setOpsetVersion, type OnnxModel } from '../onnx/model';
import { nameOnly } from '../runtime/inspect';

/** What stands in for a tensor, which may depend on who reads it; `null` is the caller, who reads the outputs. */
export type Replacement = string | ((reader: NodeProto | null) => string);

export interface Variant {
  /** The tensors of the base that have another value in this variant. */
  readonly replaced: ReadonlyMap<string, Replacement>;
}

/** What variants need beside the base: the nodes that make the replacements. */
export interface Additions {
  readonly nodes: readonly NodeProto[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
}

/** Of operators that only int8 layers have, such as DynamicQuantizeLSTM. */
const RUNTIME_DOMAIN = 'com.microsoft';

export interface VariantGraph {
  readonly model: OnnxModel;
  /** Of each variant, by name of the base's output: the output that holds its value. Those it does not reach are missing. */
  readonly outputs: readonly ReadonlyMap<string, string>[];
}

/** Nodes of the base that a variant's replacements reach, in topological order. */
export function reach(base: Graph, variant: Variant): NodeProto[] {
  const changed = new Set(variant.replaced.keys());
  return base.nodes.filter((node) => {
    const own = node.output.some((name) => variant.replaced.has(name));
    const reads = !own && (node.input.some((n) => changed.has(n)) || outerReferences(node).some((n) => changed.has(n)));
    if (reads) for (const name of node.output) if (name !== '') changed.add(name);
    return reads;
  });
}

/** @param graph the base's */
export function withVariants(
  base: OnnxModel,
  graph: Graph,
  additions: Additions,
  variants: readonly Variant[],
): VariantGraph {
  const model = cloneModel(base);
  const proto = graphOf(model);
  proto.node = [...graph.nodes, ...additions.nodes];
  if (additions.nodes.some(({ domain }) => domain === RUNTIME_DOMAIN)) setOpsetVersion(model, RUNTIME_DOMAIN, 1);
  const present = new Set(proto.initializer.map(({ name }) => name));
  for (const [name, tensor] of additions.initializers) if (!present.has(name)) proto.initializer.push(tensor);
  const listed = new Set(proto.output.map(({ name }) => name));
  const outputs = variants.map((variant, index) => {
    const { nodes, nameFor } = copyReach(graph, variant, `variant:${index}:`);
    proto.node.push(...nodes);
    const reached = new Map<string, string>();
    for (const output of graph.outputs) {
      const name = nameFor(output, null);
      if (name !== output) reached.set(output, name);
    }
    for (const name of reached.values()) {
      if (!listed.has(name)) proto.output.push(nameOnly(name));
      listed.add(name);
    }
    return reached;
  });
  return { model, outputs };
}

function copyReach(
  base: Graph,
  variant: Variant,
  prefix: string,
): { nodes: NodeProto[]; nameFor: (tensor: string, reader: NodeProto | null) => string } {
  const copied = new Set<string>();
  const nameFor = (tensor: string, reader: NodeProto | null): string => {
    const replacement = variant.replaced.get(tensor);
    if (replacement !== undefined) return typeof replacement === 'string' ? replacement : replacement(reader);
    return copied.has(tensor) ? prefix + tensor : tensor;
  };
  const nodes = reach(base, variant).map((node) => {
    const copy = cloneNode(node);
    copy.name = prefix + node.name;
    copy.input = node.input.map((name) => nameFor(name, node));
    for (const body of subgraphs(copy)) renameOuter(body, (name) => nameFor(name, node), new Set());
    for (const name of node.output) if (name !== '') copied.add(name);
    copy.output = node.output.map((name) => (name === '' ? '' : prefix + name));
    return copy;
  });
  return { nodes, nameFor };
}

/** Renames what a subgraph reads of the graphs around it; names of its own hide theirs. */
function renameOuter(body: GraphProto, rename: (name: string) => string, hidden: ReadonlySet<string>): void {
  const own = new Set(hidden);
  for (const { name } of [...body.input, ...body.initializer]) own.add(name);
  for (const node of body.node) for (const name of node.output) own.add(name);
  const visible = (name: string): string => (name === '' || own.has(name) ? name : rename(name));
  for (const node of body.node) {
    node.input = node.input.map(visible);
    for (const inner of subgraphs(node)) renameOuter(inner, rename, own);
  }
  for (const output of body.output) output.name = visible(output.name);
}
