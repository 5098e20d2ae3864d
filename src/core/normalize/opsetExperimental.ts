/**
 * Operators that ONNX once tried and took back at opset 10, which onnxruntime runs below that (tried with 1.30),
 * written in operators that stayed.
 */

import { attribute, floatAttribute, intAttribute, intsAttribute, makeAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { makeNode } from '../onnx/model';
import { makeTensor, type Tensor } from '../tensor';
import type { Adaptation, Adapter, VersionStep } from './opsetAdapters';

/** Nodes one after the other from a node's first input to its output; the last takes its name. */
class Chain {
  readonly #node: NodeProto;
  readonly #a: Adaptation;
  readonly #steps: { readonly op: string; readonly constant?: Tensor }[] = [];

  constructor(node: NodeProto, a: Adaptation) {
    this.#node = node;
    this.#a = a;
  }

  step(op: string, constant?: Tensor): this {
    this.#steps.push(constant === undefined ? { op } : { op, constant });
    return this;
  }

  /** Multiplies by a number or adds one; nothing for those that change nothing. */
  scaleBy(factor: number): this {
    return factor === 1 ? this : this.step('Mul', scalar(factor));
  }

  add(term: number): this {
    return term === 0 ? this : this.step('Add', scalar(term));
  }

  finish(): void {
    const { name, input, output } = this.#node;
    const steps = this.#steps.length === 0 ? [{ op: 'Identity' }] : this.#steps;
    let last = input[0] ?? '';
    this.#a.replaceBy(
      steps.map(({ op, constant }, i) => {
        const isLast = i === steps.length - 1;
        const inputs = [last, ...(constant === undefined ? [] : [this.#a.initializer(`${name}_${op}`, constant)])];
        last = isLast ? (output[0] ?? '') : this.#a.freshTensor(`${name}_${op}_result`);
        return makeNode({ op, name: isLast ? name : this.#a.freshNode(`${name}_${op}`), inputs, outputs: [last] });
      }),
    );
  }
}

function scalar(value: number): Tensor {
  return makeTensor('float32', [], Float32Array.of(value));
}

const factor = (name: string, fallback: number): ((node: NodeProto) => number) => {
  return (node) => floatAttribute(node, name, fallback);
};
const [alpha, beta] = [factor('alpha', 1), factor('beta', 1)];

const imageScaler: Adapter = (node, a) => {
  const bias = Float32Array.from(attribute(node, 'bias')?.floats ?? []);
  const chain = new Chain(node, a).scaleBy(floatAttribute(node, 'scale', 1));
  if (bias.length > 0) chain.step('Add', makeTensor('float32', [bias.length, 1, 1], bias));
  chain.finish();
};

const affine: Adapter = (node, a) => {
  new Chain(node, a)
    .scaleBy(alpha(node))
    .add(floatAttribute(node, 'beta', 0))
    .finish();
};

/** α · ln(1 + exp(β·x)) */
const parametricSoftplus: Adapter = (node, a) => {
  new Chain(node, a).scaleBy(beta(node)).step('Softplus').scaleBy(alpha(node)).finish();
};

const scaledTanh: Adapter = (node, a) => {
  new Chain(node, a).scaleBy(beta(node)).step('Tanh').scaleBy(alpha(node)).finish();
};

const scaleOnly: Adapter = (node, a) => {
  new Chain(node, a).scaleBy(floatAttribute(node, 'scale', 1)).finish();
};

/** Takes away a border, or as much as leaves a given height and width. */
const crop: Adapter = (node, a) => {
  const [left = 0, top = 0, right = 0, bottom = 0] = intsAttribute(node, 'border') ?? [];
  const size = intsAttribute(node, 'scale');
  const end = (start: number, border: number, length: number | undefined): bigint =>
    length !== undefined ? BigInt(start + length) : border === 0 ? 2n ** 63n - 1n : BigInt(-border);
  const bounds = [
    [BigInt(top), BigInt(left)],
    [end(top, bottom, size?.[0]), end(left, right, size?.[1])],
    [2n, 3n],
  ].map((values, i) =>
    a.initializer(
      `${node.name}_${['starts', 'ends', 'axes'][i]!}`,
      makeTensor('int64', [2], BigInt64Array.from(values)),
    ),
  );
  node.opType = 'Slice';
  node.attribute = [];
  node.input = [node.input[0] ?? '', ...bounds];
};

const dynamicSlice: Adapter = (node) => {
  node.opType = 'Slice';
};

/** By whole numbers of its own until opset 8, over all of a batch; from 9 on it names the axes. */
const meanVariance: Adapter = (node, a) => {
  const axes = intAttribute(node, 'across_channels', 0) === 0 ? [0, 2, 3] : [0, 1, 2, 3];
  const normalizes = intAttribute(node, 'normalize_variance', 1) !== 0;
  node.attribute = [makeAttribute('axes', axes)];
  if (normalizes) return;
  const { name, input, output } = node;
  const mean = a.freshTensor(`${name}_mean`);
  a.replaceBy([
    makeNode({
      op: 'ReduceMean',
      name: a.freshNode(`${name}_ReduceMean`),
      inputs: input,
      outputs: [mean],
      attributes: { axes },
    }),
    makeNode({ op: 'Sub', name, inputs: [input[0] ?? '', mean], outputs: output }),
  ]);
};

const at10 = (adapt: Adapter): readonly VersionStep[] => [{ to: 10, adapt }];

export const EXPERIMENTAL: Readonly<Record<string, readonly VersionStep[]>> = {
  Affine: at10(affine),
  Crop: at10(crop),
  DynamicSlice: at10(dynamicSlice),
  ImageScaler: at10(imageScaler),
  MeanVarianceNormalization: [{ to: 9, adapt: meanVariance }],
  ParametricSoftplus: at10(parametricSoftplus),
  Scale: at10(scaleOnly),
  ScaledTanh: at10(scaledTanh),
};
