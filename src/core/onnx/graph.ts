/**
 * A read-only view of one graph: nodes in topological order and who makes and uses each tensor.
 * It is a snapshot; after an edit of the message, make a new one.
 */

import { QuantscopeError } from '../../shared/errors';
import type { Tensor } from '../tensor';
import { attribute, tensorAttribute } from './attributes';
import { outerReferences, sortTopologically } from './check';
import type { GraphProto, NodeProto, TensorProto } from './generated/onnx_pb';
import { canonicalDomain, graphOf, type OnnxModel } from './model';
import { readTensor } from './tensorProto';

export interface Use {
  readonly node: NodeProto;
  /** Position among the node's inputs; -1 where a subgraph of the node reads the tensor. */
  readonly index: number;
}

export class Graph {
  readonly proto: GraphProto;
  readonly nodes: readonly NodeProto[];
  /** Inputs that the caller must feed: graph inputs without those that only repeat an initializer. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly #folder: string | undefined;
  readonly #initializers: Map<string, TensorProto>;
  readonly #producers = new Map<string, NodeProto>();
  readonly #uses = new Map<string, Use[]>();
  readonly #outputSet: ReadonlySet<string>;

  constructor(model: OnnxModel) {
    this.proto = graphOf(model);
    this.#folder = model.folder;
    this.#initializers = new Map(this.proto.initializer.map((tensor) => [tensor.name, tensor]));
    this.inputs = this.proto.input.map((v) => v.name).filter((name) => !this.#initializers.has(name));
    this.outputs = this.proto.output.map((v) => v.name);
    this.#outputSet = new Set(this.outputs);
    const known = new Set([...this.inputs, ...this.#initializers.keys()]);
    for (const { values } of this.proto.sparseInitializer) if (values !== undefined) known.add(values.name);
    const own = new Set(this.proto.node.flatMap((node) => node.output));
    this.nodes = sortTopologically(this.proto.node, known, own);
    for (const node of this.nodes) {
      for (const output of node.output) if (output !== '') this.#producers.set(output, node);
      node.input.forEach((name, index) => this.#addUse(name, { node, index }));
      for (const name of new Set(outerReferences(node))) this.#addUse(name, { node, index: -1 });
    }
  }

  #addUse(name: string, use: Use): void {
    if (name === '') return;
    const list = this.#uses.get(name);
    if (list === undefined) this.#uses.set(name, [use]);
    else list.push(use);
  }

  producer(tensor: string): NodeProto | undefined {
    return this.#producers.get(tensor);
  }

  uses(tensor: string): readonly Use[] {
    return this.#uses.get(tensor) ?? [];
  }

  isOutput(tensor: string): boolean {
    return this.#outputSet.has(tensor);
  }

  isInitializer(tensor: string): boolean {
    return this.#initializers.has(tensor);
  }

  initializer(tensor: string): TensorProto | undefined {
    return this.#initializers.get(tensor);
  }

  /** The value of an initializer or of a `Constant` node; `undefined` for everything computed. */
  constant(tensor: string): Tensor | undefined {
    const found = this.#initializers.get(tensor) ?? this.#constantNode(tensor);
    return found === undefined ? undefined : readTensor(found, this.#folder);
  }

  isConstant(tensor: string): boolean {
    return this.#initializers.has(tensor) || this.#constantNode(tensor) !== undefined;
  }

  #constantNode(tensor: string): TensorProto | undefined {
    const node = this.#producers.get(tensor);
    if (node?.opType !== 'Constant' || canonicalDomain(node.domain) !== '') return undefined;
    return attribute(node, 'value') === undefined ? undefined : tensorAttribute(node, 'value');
  }

  /** The only node that reads `tensor`, where nothing else sees it; what a fusion may swallow. */
  soleConsumer(tensor: string): NodeProto | undefined {
    if (this.#outputSet.has(tensor)) return undefined;
    const uses = this.uses(tensor);
    const [first] = uses;
    return uses.length === 1 && first !== undefined && first.index >= 0 ? first.node : undefined;
  }
}

/** `''` domain operator type, or `domain:type` for the others: the key of every operator table. */
export function opKey(node: NodeProto): string {
  const domain = canonicalDomain(node.domain);
  return domain === '' ? node.opType : `${domain}:${node.opType}`;
}

/** First output of a node; every node that is planned has one. */
export function outputOf(node: NodeProto): string {
  const [first] = node.output;
  if (first === undefined)
    throw new QuantscopeError('model-invalid', `Node "${node.name || node.opType}" has no output.`);
  return first;
}
