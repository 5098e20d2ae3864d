/**
 * Which values of an output come from which input of the Concats that made it. Followed back through everything that
 * leaves the values where they are, or moves them as a whole: each value then still belongs to one input. Pure.
 */

import { intAttribute, intsAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, type Graph } from '../onnx/graph';
import type { TensorInfo } from '../runtime/session';

/** For each value of a tensor the part that it belongs to. */
export interface Labels {
  readonly parts: readonly string[];
  readonly of: Uint16Array;
}

/** One value in, one value out, at the same place. */
const IN_PLACE: ReadonlySet<string> = new Set([
  ...['Identity', 'Cast', 'Dropout', 'Sigmoid', 'HardSigmoid', 'Tanh', 'Relu', 'LeakyRelu', 'Clip', 'Elu', 'Softplus'],
  ...['Neg', 'Abs', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Round', 'Floor', 'Ceil', 'Erf', 'HardSwish'],
]);
/** The same, where one of both inputs is constant. */
const WITH_CONSTANT: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min']);
/** The values in the order in which they were. */
const RESHAPES: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

/** More parts are steps of a sequence rather than quantities. */
export const MOST_PARTS = 16;

/**
 * @param tensors type and shape as far as they are known
 * @param dims of the output in one inference; the sizes that the graph leaves open follow from it
 * @returns `undefined` where the output is of one piece
 */
export function joinedParts(
  graph: Graph,
  tensors: ReadonlyMap<string, TensorInfo>,
  output: string,
  dims: readonly number[],
): Labels | undefined {
  const found = new Walk(graph, tensors, output, dims).labels(output, dims);
  return found === undefined || found.parts.length < 2 || found.parts.length > MOST_PARTS ? undefined : found;
}

const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

class Walk {
  readonly #graph: Graph;
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  /** What the names of open dimensions stand for. */
  readonly #bound = new Map<string, number>();

  constructor(graph: Graph, tensors: ReadonlyMap<string, TensorInfo>, output: string, dims: readonly number[]) {
    this.#graph = graph;
    this.#tensors = tensors;
    const { shape = [] } = tensors.get(output) ?? {};
    shape.forEach((dim, axis) => {
      if (typeof dim === 'string' && dim !== '' && dims[axis] !== undefined) this.#bound.set(dim, dims[axis]);
    });
  }

  labels(tensor: string, dims: readonly number[]): Labels | undefined {
    const node = this.#graph.producer(tensor);
    if (node?.output[0] !== tensor) return undefined;
    const op = opKey(node);
    if (op === 'Concat') return this.#joined(node, dims);
    if (op === 'Transpose') return this.#transposed(node, dims);
    const [first = '', second = ''] = node.input;
    if (IN_PLACE.has(op)) return this.labels(first, dims);
    if (RESHAPES.has(op)) {
      const before = this.#dimsOf(first, sizeOf(dims));
      return before && this.labels(first, before);
    }
    if (!WITH_CONSTANT.has(op) || node.input.length !== 2) return undefined;
    const [value, constant] = this.#graph.isConstant(second) ? [first, second] : [second, first];
    // A constant that is larger would repeat the values.
    const size = this.#dimsOf(value, undefined);
    return this.#graph.isConstant(constant) && size !== undefined && sizeOf(size) === sizeOf(dims)
      ? this.labels(value, dims)
      : undefined;
  }

  #joined(node: NodeProto, dims: readonly number[]): Labels | undefined {
    const given = intAttribute(node, 'axis', 0);
    const axis = given < 0 ? given + dims.length : given;
    const sizes = this.#sizesAlong(node.input, axis, dims[axis] ?? 0);
    if (sizes === undefined) return undefined;
    const inner = sizeOf(dims.slice(axis + 1));
    const outer = sizeOf(dims.slice(0, axis));
    const of = new Uint16Array(sizeOf(dims));
    const parts: string[] = [];
    let start = 0;
    for (const [index, name] of node.input.entries()) {
      const size = sizes[index]!;
      const own = dims.map((dim, i) => (i === axis ? size : dim));
      const nested = size === 0 ? undefined : this.labels(name, own);
      const run = size * inner;
      for (let block = 0; block < outer; block++) {
        const at = (block * dims[axis]! + start) * inner;
        if (nested === undefined) of.fill(parts.length, at, at + run);
        else for (let i = 0; i < run; i++) of[at + i] = parts.length + nested.of[block * run + i]!;
      }
      if (size > 0) parts.push(...(nested?.parts ?? [name]));
      start += size;
    }
    return { parts, of };
  }

  /** Of each input along the axis; at most one may be open. */
  #sizesAlong(inputs: readonly string[], axis: number, total: number): number[] | undefined {
    const known = inputs.map((name) => this.#dim(this.#shapeOf(name)?.[axis]));
    const rest = total - known.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    const open = known.filter((size) => size === undefined).length;
    if (open > 1 || rest < 0 || (open === 0 && rest !== 0)) return undefined;
    return known.map((size) => size ?? rest);
  }

  #transposed(node: NodeProto, dims: readonly number[]): Labels | undefined {
    const perm = intsAttribute(node, 'perm') ?? dims.map((_, i) => dims.length - 1 - i);
    const before = new Array<number>(dims.length).fill(1);
    perm.forEach((from, to) => (before[from] = dims[to]!));
    const found = this.labels(node.input[0] ?? '', before);
    if (found === undefined) return undefined;
    const strides = before.map((_, axis) => sizeOf(before.slice(axis + 1)));
    const of = new Uint16Array(found.of.length);
    const index = new Array<number>(dims.length).fill(0);
    let source = 0;
    for (let i = 0; i < of.length; i++) {
      of[i] = found.of[source]!;
      for (let axis = dims.length - 1; axis >= 0; axis--) {
        const stride = strides[perm[axis]!]!;
        source += stride;
        if (++index[axis]! < dims[axis]!) break;
        source -= stride * dims[axis]!;
        index[axis] = 0;
      }
    }
    return { parts: found.parts, of };
  }

  #shapeOf(tensor: string): readonly (number | string)[] | undefined {
    return this.#tensors.get(tensor)?.shape ?? this.#graph.constant(tensor)?.dims;
  }

  #dim(dim: number | string | undefined): number | undefined {
    return typeof dim === 'string' ? this.#bound.get(dim) : dim !== undefined && dim >= 0 ? dim : undefined;
  }

  /** @param size how many values it holds, which tells one dimension that is open */
  #dimsOf(tensor: string, size: number | undefined): number[] | undefined {
    const known = this.#shapeOf(tensor)?.map((dim) => this.#dim(dim));
    if (known === undefined) return undefined;
    const product = known.reduce<number>((n, d) => n * (d ?? 1), 1);
    const open = known.filter((dim) => dim === undefined).length;
    if (open === 0) return size === undefined || product === size ? (known as number[]) : undefined;
    if (open > 1 || size === undefined || product === 0 || size % product !== 0) return undefined;
    return known.map((dim) => dim ?? size / product);
  }
}
