/**
 * Calls of the model's own functions replaced by their bodies (onnx/docs/IR.md, "Functions"), because
 * a call is one opaque node to a plan. A body runs at the model's opset, whatever the function imports:
 * that is how onnxruntime binds it (tried with 1.30: Softmax of a function at opset 11 in a model at 17
 * runs over one axis).
 */

import { attribute, subgraphs } from '../onnx/attributes';
import { checkModel } from '../onnx/check';
import { functionFinder } from '../onnx/functions';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import {
  canonicalDomain,
  cloneAttribute,
  cloneNode,
  graphOf,
  opsetVersion,
  setOpsetVersion,
  shallow,
} from '../onnx/model';
import type { OnnxModel } from '../onnx/model';
import { elementTypeOf } from '../onnx/tensorProto';
import { freshName, tensorNames, walkGraphs } from './edit';

export interface InlineReport {
  /** Names of the calls of the model's graphs that went. */
  readonly calls: readonly string[];
  /** Names of functions that import another opset than the one they run at. */
  readonly rebound: readonly string[];
}

/** Tensor names of a body, or of a graph inside it → names in the model. */
type Renaming = ReadonlyMap<string, string>;

/**
 * Replaces every call (the model is edited). Inner names begin with that of the call: `call/inner`.
 * @throws `model-invalid` for a body that reads what nothing makes
 */
export function inlineFunctions(model: OnnxModel): InlineReport {
  const { proto } = model;
  const find = functionFinder(proto.functions);
  const inliner = new Inliner(model, find);
  inliner.expandAll(graphOf(model));
  const { calls, used } = inliner;
  if (calls.length === 0) return { calls, rebound: [] };
  const opset = opsetVersion(model);
  const rebound = [...used].filter((fn) =>
    fn.opsetImport.some(({ domain, version }) => canonicalDomain(domain) === '' && Number(version) !== opset),
  );
  for (const { domain, version } of [...used].flatMap((fn) => fn.opsetImport)) {
    if (opsetVersion(model, domain) === undefined) setOpsetVersion(model, domain, Number(version));
  }
  proto.functions = proto.functions.filter((fn) => !used.has(fn));
  checkModel(proto);
  return { calls, rebound: rebound.map(({ name }) => name) };
}

class Inliner {
  readonly calls: string[] = [];
  readonly used = new Set<FunctionProto>();
  readonly #graph: GraphProto;
  readonly #find: (node: NodeProto) => FunctionProto | undefined;
  readonly #tensors: Set<string>;
  readonly #nodes: Set<string>;
  /** Tensors of Constant nodes in functions, stored once however often the function is called. */
  readonly #constants = new Map<NodeProto, string>();

  constructor(model: OnnxModel, find: (node: NodeProto) => FunctionProto | undefined) {
    this.#graph = graphOf(model);
    this.#find = find;
    this.#tensors = tensorNames(this.#graph);
    this.#nodes = new Set([...walkGraphs(this.#graph)].flatMap((g) => g.node.map(({ name }) => name)));
  }

  /** Every call of the graph and of those inside it. */
  expandAll(graph: GraphProto): void {
    graph.node = graph.node.flatMap((node) => {
      for (const body of subgraphs(node)) this.expandAll(body);
      const fn = this.#find(node);
      if (fn === undefined) return [node];
      this.calls.push(node.name);
      return this.#expand(node, fn);
    });
  }

  #expand(call: NodeProto, fn: FunctionProto): NodeProto[] {
    this.used.add(fn);
    const renaming = new Map<string, string>();
    fn.input.forEach((name, i) => renaming.set(name, call.input[i] ?? ''));
    // The runtime loads no function that hands an input on as it is, or one value as two outputs.
    fn.output.forEach((name, i) => {
      const wanted = call.output[i] ?? '';
      if (wanted !== '') renaming.set(name, wanted);
    });
    const attributes = argumentsOf(call, fn);
    const kept = fn.node.filter((inner) => !this.#sharedConstant(inner, fn, renaming));
    for (const name of kept.flatMap(({ output }) => output)) this.#own(name, call.name, renaming);
    return kept.flatMap((inner, index) => {
      const node = this.#instance(inner, call.name, `${inner.opType}_${index}`, renaming, attributes);
      const nested = this.#find(node);
      return nested === undefined ? [node] : this.#expand(node, nested);
    });
  }

  /** Makes an initializer of a Constant whose value no call changes, unless the call's own output is meant. */
  #sharedConstant(node: NodeProto, fn: FunctionProto, renaming: Map<string, string>): boolean {
    const [output = ''] = node.output;
    const value = node.opType === 'Constant' && node.domain === '' ? attribute(node, 'value') : undefined;
    if (value?.t === undefined || elementTypeOf(value.t.dataType) === undefined || renaming.has(output)) return false;
    let name = this.#constants.get(node);
    if (name === undefined) {
      name = freshName(this.#tensors, `${fn.name}/${output}`);
      this.#constants.set(node, name);
      this.#graph.initializer.push(shallow(value.t, { name }));
    }
    renaming.set(output, name);
    return true;
  }

  /** A node of a body as it is in this call. */
  #instance(
    inner: NodeProto,
    prefix: string,
    unnamed: string,
    renaming: Renaming,
    attributes: ReadonlyMap<string, AttributeProto>,
  ): NodeProto {
    const node = cloneNode(inner);
    node.name = freshName(this.#nodes, `${prefix}/${inner.name === '' ? unnamed : inner.name}`);
    node.input = inner.input.map((name) => rename(name, renaming));
    node.output = inner.output.map((name) => rename(name, renaming));
    node.attribute = node.attribute.flatMap((a) => {
      if (a.refAttrName !== '') {
        // What the caller gives is in the caller's names already.
        const given = attributes.get(a.refAttrName);
        return given === undefined ? [] : [shallow(cloneAttribute(given), { name: a.name })];
      }
      for (const body of a.g === undefined ? a.graphs : [a.g, ...a.graphs])
        this.#instantiate(body, prefix, renaming, attributes);
      return [a];
    });
    return node;
  }

  /** A graph inside a body (edited): its own names become fresh ones too, so that none hides one of the caller's. */
  #instantiate(
    graph: GraphProto,
    prefix: string,
    outer: Renaming,
    attributes: ReadonlyMap<string, AttributeProto>,
  ): void {
    const renaming = new Map(outer);
    const made = [...graph.input, ...graph.initializer].map(({ name }) => name);
    // Names of an inner graph hide outer ones.
    for (const name of new Set([...made, ...graph.node.flatMap(({ output }) => output)])) {
      renaming.delete(name);
      this.#own(name, prefix, renaming);
    }
    graph.node = graph.node.flatMap((inner, index) => {
      const node = this.#instance(inner, prefix, `${inner.opType}_${index}`, renaming, attributes);
      const nested = this.#find(node);
      return nested === undefined ? [node] : this.#expand(node, nested);
    });
    const renamed = <T extends { readonly name: string }>(values: readonly T[]): T[] =>
      values.map((value) => shallow(value, { name: rename(value.name, renaming) } as Partial<T>));
    graph.input = renamed(graph.input);
    graph.output = renamed(graph.output);
    graph.initializer = renamed(graph.initializer);
    graph.valueInfo = [];
  }

  #own(name: string, prefix: string, renaming: Map<string, string>): void {
    if (name !== '' && !renaming.has(name)) renaming.set(name, freshName(this.#tensors, `${prefix}/${name}`));
  }
}

function rename(name: string, renaming: Renaming): string {
  return name === '' ? '' : (renaming.get(name) ?? name);
}

/** What a call gives for each attribute of the function, or the function's default. */
function argumentsOf(call: NodeProto, fn: FunctionProto): ReadonlyMap<string, AttributeProto> {
  return new Map([...fn.attributeProto, ...call.attribute].map((a) => [a.name, a]));
}
