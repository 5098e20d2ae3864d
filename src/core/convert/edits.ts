/** A model under construction: nodes, initializers and fresh names. */

import { tensorNames } from '../normalize/edit';
import type { NodeProto, TensorProto } from '../onnx/generated/onnx_pb';
import { cloneModel, graphOf, makeNode, type NodeSpec, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import type { Tensor } from '../tensor';

export class ModelEditor {
  readonly model: OnnxModel;
  readonly #names: Set<string>;
  readonly #initializers = new Map<string, TensorProto>();
  readonly #before = new Map<NodeProto, NodeProto[]>();
  readonly #rest = new Map<NodeProto, NodeProto[]>();
  readonly #after = new Map<NodeProto, NodeProto[]>();
  readonly #first: NodeProto[] = [];
  readonly #removed = new Set<NodeProto>();

  /** Works on a copy of `model`; nodes are looked up by name in the copy. */
  constructor(model: OnnxModel) {
    this.model = cloneModel(model);
    const graph = graphOf(this.model);
    // Subgraphs see the names around them, so theirs are taken as well.
    this.#names = new Set([...tensorNames(graph), ...graph.node.map((node) => node.name)]);
  }

  /** The nodes of the copy by name; names are unique after normalisation. */
  nodesByName(): Map<string, NodeProto> {
    return new Map(graphOf(this.model).node.map((node) => [node.name, node]));
  }

  /** `base`, or with a number behind it where that is taken. */
  freshName(base: string): string {
    let name = base;
    for (let i = 1; this.#names.has(name); i++) name = `${base}_${i}`;
    this.#names.add(name);
    return name;
  }

  addInitializer(base: string, tensor: Tensor): string {
    const name = this.freshName(base);
    this.#initializers.set(name, makeTensorProto(name, tensor));
    return name;
  }

  insertFirst(spec: NodeSpec): void {
    this.#first.push(makeNode(spec));
  }

  insertBefore(anchor: NodeProto, spec: NodeSpec): void {
    push(this.#before, anchor, makeNode(spec));
  }

  /** Nodes that with `anchor` compute what it alone did: before all that comes after it. */
  continue(anchor: NodeProto, spec: NodeSpec): void {
    push(this.#rest, anchor, makeNode(spec));
  }

  insertAfter(anchor: NodeProto, spec: NodeSpec): void {
    push(this.#after, anchor, makeNode(spec));
  }

  remove(node: NodeProto): void {
    this.#removed.add(node);
  }

  /** Puts everything in place and drops initializers that nothing reads any more. */
  finish(): OnnxModel {
    const graph = graphOf(this.model);
    const kept = (node: NodeProto): NodeProto[] => (this.#removed.has(node) ? [] : [node]);
    graph.node = [
      ...this.#first,
      ...graph.node.flatMap((node) => [
        ...(this.#before.get(node) ?? []),
        ...kept(node),
        ...(this.#rest.get(node) ?? []),
        ...(this.#after.get(node) ?? []),
      ]),
    ];
    graph.initializer.push(...this.#initializers.values());
    dropUnused(this.model);
    return this.model;
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function dropUnused(model: OnnxModel): void {
  const graph = graphOf(model);
  const used = new Set(graph.output.map((output) => output.name));
  const visit = (nodes: readonly NodeProto[]): void => {
    for (const node of nodes) {
      for (const name of node.input) used.add(name);
      for (const attribute of node.attribute) {
        for (const body of attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs]) {
          for (const output of body.output) used.add(output.name);
          visit(body.node);
        }
      }
    }
  };
  visit(graph.node);
  graph.initializer = graph.initializer.filter((tensor) => used.has(tensor.name));
  const kept = new Set(graph.initializer.map((tensor) => tensor.name));
  const made = new Set(graph.node.flatMap((node) => node.output));
  const inputs = new Set(graph.input.map((input) => input.name));
  graph.valueInfo = graph.valueInfo.filter(({ name }) => made.has(name) || kept.has(name) || inputs.has(name));
}
