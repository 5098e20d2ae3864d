/**
 * Gemm in the one form for which int8 kernels exist: y = A·B + C with A as it is and C one value a column.
 * α goes into a constant B and β into a constant C, in double precision with one rounding to float32 a
 * value: exact where the factor is a power of two, else as near as the product itself is.
 */

import { attribute, floatAttribute, intAttribute, makeAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey, outputOf } from '../onnx/graph';
import { graphOf, makeNode, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { makeTensor, toFloat32, type Tensor } from '../tensor';
import { freshName, replaceConstant, tensorNames } from './edit';

/** Rewrites what it can of every Gemm with a constant B (the model is edited); returns their names. */
export function plainGemms(model: OnnxModel): string[] {
  const proto = graphOf(model);
  if (!proto.node.some((node) => opKey(node) === 'Gemm')) return [];
  const rewriter = new Rewriter(model);
  proto.node = proto.node.flatMap((node) => rewriter.rewrite(node));
  return rewriter.changed;
}

class Rewriter {
  readonly changed: string[] = [];
  readonly #graph: Graph;
  readonly #tensors: Set<string>;
  readonly #nodes: Set<string>;

  constructor(model: OnnxModel) {
    this.#graph = new Graph(model);
    this.#tensors = tensorNames(this.#graph.proto);
    this.#nodes = new Set(this.#graph.proto.node.map(({ name }) => name));
  }

  rewrite(node: NodeProto): NodeProto[] {
    if (opKey(node) !== 'Gemm') return [node];
    const weight = this.#floats(node.input[1]);
    if (weight?.dims.length !== 2) return [node];
    const columns = weight.dims[intAttribute(node, 'transB', 0) === 0 ? 1 : 0] ?? 0;
    const inputs = node.input.join('\n');
    const changes = [this.#foldAlpha(node, weight), this.#foldBias(node, columns)];
    const after = this.#addApart(node, columns);
    const before = this.#turnFirst(node);
    if (changes.includes(true) || node.input.join('\n') !== inputs) this.changed.push(node.name);
    return [...before, node, ...after];
  }

  #foldAlpha(node: NodeProto, weight: Tensor): boolean {
    const alpha = floatAttribute(node, 'alpha', 1);
    const scaled = scale(weight, alpha);
    if (alpha === 1 || scaled === undefined) return false;
    this.#replace(node, 1, `${node.name}_weight`, scaled);
    putFloat(node, 'alpha');
    return true;
  }

  /** β times a constant C, as a row where it is one or a single value. */
  #foldBias(node: NodeProto, columns: number): boolean {
    const bias = this.#floats(node.input[2]);
    if (bias === undefined) return false;
    const beta = floatAttribute(node, 'beta', 1);
    const scaled = scale(bias, beta);
    if (scaled === undefined) return false;
    const row = asRow(scaled, columns);
    const isRow = bias.dims.length === 1 && bias.dims[0] === columns;
    if (beta === 1 && (row === undefined || isRow)) return false;
    this.#replace(node, 2, `${node.name}_bias`, row ?? scaled);
    putFloat(node, 'beta');
    return true;
  }

  /** A C that is no constant row is added by a node of its own. */
  #addApart(node: NodeProto, columns: number): NodeProto[] {
    const bias = node.input[2] ?? '';
    const dims = this.#floats(bias)?.dims;
    if (bias === '' || (dims?.length === 1 && dims[0] === columns)) return [];
    const beta = floatAttribute(node, 'beta', 1);
    node.input = node.input.slice(0, 2);
    // With β = 0 the operator does not look at C.
    if (beta === 0) return [];
    const output = outputOf(node);
    const product = freshName(this.#tensors, `${output}_product`);
    node.output[0] = product;
    if (beta === 1) return [this.#node('Add', `${node.name}_Add`, [product, bias], output)];
    putFloat(node, 'beta');
    const [factor, scaled] = [
      freshName(this.#tensors, `${node.name}_beta`),
      freshName(this.#tensors, `${bias}_scaled`),
    ];
    this.#graph.proto.initializer.push(makeTensorProto(factor, makeTensor('float32', [], Float32Array.of(beta))));
    return [
      this.#node('Mul', `${node.name}_Mul`, [bias, factor], scaled),
      this.#node('Add', `${node.name}_Add`, [product, scaled], output),
    ];
  }

  #turnFirst(node: NodeProto): NodeProto[] {
    if (intAttribute(node, 'transA', 0) === 0) return [];
    const [input = ''] = node.input;
    const turned = freshName(this.#tensors, `${input}_turned`);
    node.input[0] = turned;
    node.attribute = node.attribute.filter(({ name }) => name !== 'transA');
    return [this.#node('Transpose', `${node.name}_Transpose`, [input], turned, { perm: [1, 0] })];
  }

  #node(
    op: string,
    name: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, readonly number[]>> = {},
  ): NodeProto {
    return makeNode({ op, name: freshName(this.#nodes, name), inputs, outputs: [output], attributes });
  }

  #replace(node: NodeProto, index: number, base: string, tensor: Tensor): void {
    replaceConstant(this.#graph.proto, this.#graph, this.#tensors, node, index, base, tensor);
  }

  #floats(name = ''): Tensor | undefined {
    const found = name === '' ? undefined : this.#graph.constant(name);
    return found?.type === 'float32' ? found : undefined;
  }
}

function putFloat(node: NodeProto, name: string): void {
  node.attribute = node.attribute.filter((candidate) => candidate !== attribute(node, name));
  node.attribute.push(makeAttribute(name, { f: 1 }));
}

/** `undefined` where a value would no longer be finite. */
function scale(tensor: Tensor, factor: number): Tensor | undefined {
  const values = toFloat32(tensor).map((value) => value * factor);
  return values.every(Number.isFinite) ? makeTensor('float32', tensor.dims, values) : undefined;
}

function asRow(tensor: Tensor, columns: number): Tensor | undefined {
  const { dims } = tensor;
  const values = toFloat32(tensor);
  if (values.length === 1) return makeTensor('float32', [columns], new Float32Array(columns).fill(values[0]!));
  return dims.at(-1) === columns && values.length === columns ? makeTensor('float32', [columns], values) : undefined;
}
