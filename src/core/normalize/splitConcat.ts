/**
 * A Concat whose inputs differ much in range loses the small ones. It is no matter of the inputs' own scales, which the
 * runtime's int8 kernel (QLinearConcat) accepts: what it writes has one scale, that of the largest. So the layers that
 * read it are split instead: W∗[a, b] = W_a∗a + W_b∗b, by the distributive law, and the Concat goes. Each part reads
 * its input by the input's own scale, all products stay in int8, and the model computes the same up to rounding.
 */

import { QuantscopeError } from '../../shared/errors';
import { intAttribute } from '../onnx/attributes';
import type { GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey, outputOf } from '../onnx/graph';
import { cloneNode, graphOf, makeNode, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import type { TensorInfo } from '../runtime/session';
import { makeTensor, type Tensor } from '../tensor';
import { freshName, prune, tensorNames } from './edit';

export interface SplitConcat {
  /** Name of the Concat. */
  readonly concat: string;
  readonly inputs: readonly string[];
  /** Names of the layers that read it. */
  readonly readers: readonly string[];
}

export interface Split extends SplitConcat {
  /** The nodes that were made, by name, with the name of the layer that each is a part of. */
  readonly parts: ReadonlyMap<string, string>;
}

interface Reader {
  readonly node: NodeProto;
  readonly weight: Tensor<'float32'>;
  /** Of the weight, the one that meets the axis of the Concat. */
  readonly axis: number;
}

interface Site extends SplitConcat {
  readonly node: NodeProto;
  /** How much of the axis each input brings. */
  readonly sizes: readonly number[];
  readonly layers: readonly Reader[];
}

type Tensors = ReadonlyMap<string, Pick<TensorInfo, 'shape'>>;

/** The Concats of the main graph that {@link splitConcats} can take away. */
export function splittableConcats(graph: Graph, tensors: Tensors): readonly SplitConcat[] {
  return graph.nodes.flatMap((node) => siteOf(graph, tensors, node) ?? []);
}

/**
 * Splits what reads the Concats of these names (edited).
 * @throws `plan-impossible` for a name that is no Concat which can be split
 */
export function splitConcats(model: OnnxModel, tensors: Tensors, names: readonly string[]): readonly Split[] {
  const proto = graphOf(model);
  const taken = tensorNames(proto);
  for (const { name } of proto.node) taken.add(name);
  return names.map((name) => {
    // Anew each time, for the layers of one may be those that another has split.
    const graph = new Graph(model);
    const node = graph.nodes.find((found) => found.name === name);
    const site = node === undefined ? undefined : siteOf(graph, tensors, node);
    if (site === undefined) throw impossible(name, splittableConcats(graph, tensors));
    const parts = new Map(
      site.layers.flatMap((reader) =>
        splitReader(proto, taken, site, reader).map((part) => [part, reader.node.name] as const),
      ),
    );
    const weights = site.layers.flatMap((reader) => reader.node.input[1] ?? []);
    prune(proto, new Set([...site.node.output, ...weights]));
    const { concat, inputs, readers } = site;
    return { concat, inputs, readers, parts };
  });
}

function impossible(name: string, others: readonly SplitConcat[]): QuantscopeError {
  const possible = others.map(({ concat }) => `"${concat}"`).slice(0, 5);
  return new QuantscopeError('plan-impossible', `"${name}" under \`normalize.split\` is no Concat that can be split.`, {
    hint:
      possible.length === 0
        ? 'Only Conv, Gemm and MatMul with constant weights may read it, along the axis of the Concat.'
        : `Those that can are ${possible.join(', ')}.`,
  });
}

function siteOf(graph: Graph, tensors: Tensors, node: NodeProto): Site | undefined {
  const [output = ''] = node.output;
  const rank = tensors.get(output)?.shape.length;
  if (opKey(node) !== 'Concat' || rank === undefined || node.input.length < 2 || graph.isOutput(output)) return;
  const given = intAttribute(node, 'axis', 1);
  const axis = given < 0 ? given + rank : given;
  const sizes = node.input.map((name) => (graph.isConstant(name) ? NaN : Number(tensors.get(name)?.shape[axis])));
  const uses = graph.uses(output);
  const layers = uses.flatMap((use) => (use.index === 0 ? (readerOf(graph, use.node, axis, rank) ?? []) : []));
  const width = sizes.reduce((a, b) => a + b, 0);
  // NaN, an unknown size, differs from every width.
  if (uses.length === 0 || layers.length < uses.length || layers.some((r) => r.weight.dims[r.axis] !== width)) return;
  const names = { concat: node.name, inputs: node.input, readers: uses.map((use) => use.node.name) };
  return { ...names, node, sizes, layers };
}

/** A layer that is linear in each part of what it reads. */
function readerOf(graph: Graph, node: NodeProto, concatAxis: number, rank: number): Reader | undefined {
  const found = graph.constant(node.input[1] ?? '');
  if (found?.type !== 'float32' || node.output.length !== 1) return undefined;
  const weight = found as Tensor<'float32'>;
  switch (opKey(node)) {
    case 'Conv':
      return concatAxis === 1 && intAttribute(node, 'group', 1) === 1 ? { node, weight, axis: 1 } : undefined;
    case 'Gemm': {
      const isRow = concatAxis === 1 && intAttribute(node, 'transA', 0) === 0;
      return isRow ? { node, weight, axis: intAttribute(node, 'transB', 0) === 0 ? 0 : 1 } : undefined;
    }
    case 'MatMul':
      return concatAxis === rank - 1 && weight.dims.length === 2 ? { node, weight, axis: 0 } : undefined;
    default:
      return undefined;
  }
}

/** Names of the nodes made. The first part keeps the layer's name and bias; the sum takes over what it wrote. */
function splitReader(proto: GraphProto, taken: Set<string>, { inputs, sizes }: Site, reader: Reader): string[] {
  const { node, weight, axis } = reader;
  const output = outputOf(node);
  let start = 0;
  let sum = '';
  const made: NodeProto[] = [];
  for (const [i, input] of inputs.entries()) {
    const part = cloneNode(node);
    part.name = i === 0 ? node.name : freshName(taken, `${node.name}/part${i}`);
    const values = freshName(taken, `${node.input[1]}_part${i}`);
    proto.initializer.push(makeTensorProto(values, slice(weight, axis, start, sizes[i]!)));
    const bias = i === 0 ? node.input.slice(2) : [];
    const written = freshName(taken, `${output}_part${i}`);
    part.input = [input, values, ...bias];
    part.output = [written];
    made.push(part);
    start += sizes[i]!;
    if (i > 0) {
      const isLast = i === inputs.length - 1;
      const total = isLast ? output : freshName(taken, `${output}_sum${i}`);
      const name = freshName(taken, `${node.name}/sum${isLast ? '' : i}`);
      made.push(makeNode({ op: 'Add', name, inputs: [sum, written], outputs: [total] }));
      sum = total;
    } else sum = written;
  }
  proto.node.splice(proto.node.indexOf(node), 1, ...made);
  return made.map(({ name }) => name);
}

function slice({ dims, data }: Tensor<'float32'>, axis: number, start: number, size: number): Tensor<'float32'> {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const [outer, row] = [dims.slice(0, axis).reduce((a, b) => a * b, 1), dims[axis]! * inner];
  const values = new Float32Array(outer * size * inner);
  for (let i = 0; i < outer; i++) {
    values.set(data.subarray(i * row + start * inner, i * row + (start + size) * inner), i * size * inner);
  }
  return makeTensor('float32', dims.with(axis, size), values);
}
