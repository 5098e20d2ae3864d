/**
 * The functions that a model defines for itself (onnx/docs/IR.md, "Functions"), and what they come to
 * once every call is replaced by its body: a few nested functions can stand for billions of nodes, so
 * this is counted before anything, the runtime included, takes them apart.
 */

import { QuantscopeError } from '../../shared/errors';
import { subgraphs } from './attributes';
import type { FunctionProto, ModelProto, NodeProto, TensorProto } from './generated/onnx_pb';

/** The largest exports have some ten thousand nodes. */
const MAX_NODES = 250_000;
/** Of tensors that each call repeats; no file could hold more. */
const MAX_BYTES = 2 ** 31 - 1;
/** Exporters make a function a module; modules are nested a dozen deep. */
const MAX_DEPTH = 64;

/**
 * Domains whose operators the runtime has itself. A function of such a name only describes the
 * operator, and the runtime does not look at it (tried with 1.30).
 */
const RUNTIME_DOMAINS: ReadonlySet<string> = new Set([
  '',
  'ai.onnx',
  'ai.onnx.ml',
  'ai.onnx.training',
  'com.microsoft',
]);

type Key = Pick<NodeProto, 'domain' | 'overload'> & { readonly name: string };

function keyOf({ domain, name, overload }: Key): string {
  return `${domain}\n${name}\n${overload}`;
}

/** Finds the function that a node calls. */
export function functionFinder(functions: readonly FunctionProto[]): (node: NodeProto) => FunctionProto | undefined {
  const own = functions.filter(({ domain }) => !RUNTIME_DOMAINS.has(domain));
  const byKey = new Map(own.map((fn) => [keyOf(fn), fn]));
  return ({ domain, opType, overload }) => byKey.get(keyOf({ domain, name: opType, overload }));
}

interface Weight {
  readonly nodes: number;
  readonly bytes: number;
}

/** @throws `model-invalid` for recursion, `model-too-large` for more nodes than any network has */
export function checkFunctions({ functions, graph }: ModelProto): void {
  if (functions.length === 0 || graph === undefined) return;
  const find = functionFinder(functions);
  const known = new Map<FunctionProto, Weight>();
  const open = new Set<FunctionProto>();
  const weigh = (nodes: readonly NodeProto[], tensors: readonly TensorProto[], depth: number): Weight => {
    if (depth > MAX_DEPTH)
      throw new QuantscopeError('model-invalid', `Functions are nested more than ${MAX_DEPTH} deep.`);
    const sum = { nodes: nodes.length, bytes: tensors.reduce((bytes, { rawData }) => bytes + rawData.length, 0) };
    const add = (other: Weight): void => {
      sum.nodes += other.nodes;
      sum.bytes += other.bytes;
    };
    for (const node of nodes) {
      for (const { node: inner, initializer } of subgraphs(node)) add(weigh(inner, initializer, depth + 1));
      const called = find(node);
      if (called !== undefined) add(weighFunction(called, depth + 1));
    }
    return sum;
  };
  const weighFunction = (fn: FunctionProto, depth: number): Weight => {
    const found = known.get(fn);
    if (found !== undefined) return found;
    if (open.has(fn)) throw new QuantscopeError('model-invalid', `The function "${fn.name}" calls itself.`);
    open.add(fn);
    const weight = weigh(fn.node, [], depth);
    open.delete(fn);
    known.set(fn, weight);
    return weight;
  };
  const { nodes, bytes } = weigh(graph.node, [], 0);
  if (nodes > MAX_NODES || bytes > MAX_BYTES) {
    const what = nodes > MAX_NODES ? `${nodes} nodes, more than ${MAX_NODES}` : `${bytes} bytes of tensors`;
    throw new QuantscopeError('model-too-large', `The functions of the model stand for ${what}.`, {
      hint: 'Export the model without functions, or check that the file is what it says.',
    });
  }
}
