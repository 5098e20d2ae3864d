/**
 * A layer on its way from fp32 to its int8 kernel, one step at a time: activations clipped, rounded,
 * weights clipped, rounded, bias in int32, output clipped, rounded. All in float arithmetic and fed fp32
 * tensors, so that what each step adds can be seen alone.
 */

import { create } from '@bufbuild/protobuf';
import type { QuantizedActivation } from '../convert/types';
import { GraphProtoSchema, type NodeProto, type TensorProto } from '../onnx/generated/onnx_pb';
import { cloneNode, makeNode, shallow, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { biasAddOf } from '../plan/layers';
import { isStatic, type PlannedLayer } from '../plan/types';
import { nameOnly, valueInfo } from '../runtime/inspect';
import type { TensorInfo } from '../runtime/session';
import { allocate, makeTensor, toFloat32, type ElementType } from '../tensor';
import type { Pair } from './layerVariants';

/** The states behind the fp32 one, in order; the int8 kernel itself is the last and is not made here. */
export const STEPS = [
  'activation-clipping',
  'activation-rounding',
  'weight-clipping',
  'weight-rounding',
  'bias',
  'output-clipping',
  'output-rounding',
] as const;
export type Step = (typeof STEPS)[number];

export interface StepsGraph {
  readonly model: OnnxModel;
  /** Tensors of the fp32 model that it is fed. */
  readonly inputs: readonly string[];
  /** By layer: the output that holds the layer's result after each step, in the order of {@link STEPS}. */
  readonly outputs: ReadonlyMap<string, readonly string[]>;
}

/** Static layers with one output only: others have no single error, or not these steps. */
export function canSplit(layer: PlannedLayer): boolean {
  return isStatic(layer) && layer.outputs.length === 1;
}

/** @returns `null` where none of the layers can be split */
export function buildSteps(pair: Pair, layers: readonly PlannedLayer[]): StepsGraph | null {
  const builder = new StepsBuilder(pair);
  for (const [index, layer] of layers.entries()) {
    if (canSplit(layer)) builder.add(layer, `steps:${index}:`);
  }
  return builder.finish();
}

/** The integers that a type can hold. */
const SPANS: Readonly<Partial<Record<ElementType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
};

class StepsBuilder {
  readonly #pair: Pair;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  readonly #inputs = new Set<string>();
  readonly #outputs = new Map<string, readonly string[]>();
  /** Of the int8 graph, copied already. */
  readonly #copied = new Set<string>();

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  add(layer: PlannedLayer, prefix: string): void {
    const { conversion, int8, fp32 } = this.#pair;
    const main = int8.nodes.find(({ name }) => name === layer.node.name);
    const output = conversion.activations.get(layer.outputs[0] ?? '');
    if (main === undefined) return;
    const weightIndex = layer.weight?.input;
    const activations = layer.node.input.map((name, index) =>
      index === weightIndex || fp32.isConstant(name) ? undefined : conversion.activations.get(name),
    );
    const clipped = activations.map((a) => (a === undefined ? undefined : this.#clip(a, `${prefix}in:`)));
    const rounded = activations.map((a) => (a === undefined ? undefined : this.#round(a.tensor, a, `${prefix}in:`)));
    // Constant operands of an Add have no kernel of their own: they count as weights.
    const quantized = layer.node.input.map((name, index) =>
      activations[index] === undefined && name !== '' && main.input[index] !== name
        ? this.#constantOf(main.input[index] ?? '')
        : undefined,
    );
    const biasIndex = layer.bias === null && (main.input[2] ?? '') === '' ? undefined : 2;
    const weights = quantized.map((name, index) => (index === biasIndex ? undefined : name));
    const bias = main.input[2] === undefined ? undefined : this.#constantOf(main.input[2]);
    const wide = weightIndex === undefined ? undefined : this.#clippedWeight(layer, prefix);
    const none = layer.node.input.map(() => undefined);

    const states: string[] = [];
    const state = (layersOfInputs: readonly (readonly (string | undefined)[])[], addend?: string): void => {
      const inputs = main.input.map((_, index) => {
        for (const choice of layersOfInputs) if (choice[index] !== undefined) return choice[index];
        return layer.node.input[index] ?? '';
      });
      states.push(this.#run(layer, inputs, `${prefix}${states.length}:`, addend));
    };
    state([clipped]);
    state([rounded]);
    state([wide === undefined ? none : none.map((_, i) => (i === weightIndex ? wide : undefined)), rounded]);
    state([rounded, weights]);
    const withBias = main.input.map((_, index) => (index === 2 ? bias : weights[index]));
    state([rounded, withBias], this.#addend(layer));
    const last = states.at(-1)!;
    // Some kernels, such as the last Gemm of a classifier, write floats.
    states.push(output === undefined ? last : this.#clip({ ...output, tensor: last }, `${prefix}out:`));
    states.push(output === undefined ? last : this.#round(last, output, `${prefix}out:`));
    this.#outputs.set(layer.name, states);
  }

  finish(): StepsGraph | null {
    if (this.#outputs.size === 0) return null;
    const { int8Model, tensors } = this.#pair;
    const names = [...new Set([...this.#outputs.values()].flat())];
    const graph = create(GraphProtoSchema, {
      name: 'steps',
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: [...this.#inputs].map((name) => describe(name, tensors)),
      output: names.map(nameOnly),
    });
    const model = { ...int8Model, proto: shallow(int8Model.proto, { graph }) };
    return { model, inputs: [...this.#inputs], outputs: this.#outputs };
  }

  /** The rounded bias that the Add behind a product adds. */
  #addend(layer: PlannedLayer): string | undefined {
    const add = biasAddOf(layer);
    const rounded = this.#pair.int8.nodes.find(({ name }) => name === add?.name);
    return rounded && this.#constantOf(rounded.input[add!.input.indexOf(layer.bias ?? '')] ?? '');
  }

  /** The layer's fp32 nodes on other inputs, and with another bias; returns the name of the result. */
  #run(layer: PlannedLayer, inputs: readonly string[], prefix: string, addend?: string): string {
    const { fp32, tensors } = this.#pair;
    let result = '';
    const own = new Map<string, string>();
    if (layer.bias !== null && addend !== undefined) own.set(layer.bias, addend);
    for (const [index, node] of [layer.node, ...layer.fused].entries()) {
      const copy = cloneNode(node);
      copy.name = prefix + node.name;
      const read = index === 0 ? inputs : node.input.map((name) => own.get(name) ?? name);
      copy.input = [...read];
      for (const name of read) {
        const constant = fp32.initializer(name);
        if (constant !== undefined) this.#initializers.set(name, constant);
        else if (tensors.has(name) && name !== '') this.#inputs.add(name);
      }
      copy.output = node.output.map((name) => (name === '' ? '' : prefix + name));
      for (const name of node.output) own.set(name, prefix + name);
      result = copy.output[0] ?? '';
      this.#nodes.push(copy);
    }
    return result;
  }

  #clip({ tensor, type, scale, zeroPoint }: QuantizedActivation, prefix: string): string {
    const [low, high] = SPANS[type]!;
    const name = `${prefix}clip:${tensor}`;
    if (this.#copied.has(name)) return name;
    this.#copied.add(name);
    const bounds = [low, high].map((bound, i) => {
      const initializer = `${name}:${i}`;
      this.#float(initializer, (bound - zeroPoint) * scale);
      return initializer;
    });
    this.#read(tensor);
    this.#nodes.push(makeNode({ op: 'Clip', name, inputs: [tensor, ...bounds], outputs: [name] }));
    return name;
  }

  #round(tensor: string, { type, scale, zeroPoint, integer }: QuantizedActivation, prefix: string): string {
    const name = `${prefix}round:${tensor}`;
    if (this.#copied.has(name)) return name;
    this.#copied.add(name);
    const zero = allocate(type, 1);
    zero[0] = zeroPoint;
    this.#float(`${name}:scale`, scale);
    this.#initializers.set(`${name}:zero`, makeTensorProto(`${name}:zero`, makeTensor(type, [], zero)));
    const domain = this.#pair.int8.producer(integer)?.domain ?? '';
    const parameters = [`${name}:scale`, `${name}:zero`];
    this.#read(tensor);
    const quantized = `${name}:integer`;
    this.#nodes.push(
      makeNode({
        op: 'QuantizeLinear',
        name: quantized,
        domain,
        inputs: [tensor, ...parameters],
        outputs: [quantized],
      }),
      makeNode({ op: 'DequantizeLinear', name, domain, inputs: [quantized, ...parameters], outputs: [name] }),
    );
    return name;
  }

  /** A constant of the int8 graph with the DequantizeLinear before it. */
  #constantOf(name: string): string | undefined {
    const { int8 } = this.#pair;
    if (name === '') return undefined;
    const stored = int8.initializer(name);
    if (stored !== undefined) {
      this.#initializers.set(name, stored);
      return name;
    }
    const node = int8.producer(name);
    if (node?.opType !== 'DequantizeLinear' || !node.input.every((input) => int8.isInitializer(input)))
      return undefined;
    if (!this.#copied.has(name)) {
      this.#copied.add(name);
      for (const input of node.input) this.#initializers.set(input, int8.initializer(input)!);
      this.#nodes.push(cloneNode(node));
    }
    return name;
  }

  /** The weight cut to what its integers can hold, not rounded. */
  #clippedWeight(layer: PlannedLayer, prefix: string): string | undefined {
    const { fp32, conversion } = this.#pair;
    const quantized = conversion.weights.get(layer.name);
    const weight = layer.weight === null ? undefined : fp32.constant(layer.weight.tensor);
    if (quantized === undefined || weight === undefined) return undefined;
    const [low, high] = SPANS[quantized.type]!;
    const { scales, zeroPoints, axis } = quantized;
    const inner = axis === null ? 1 : weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const values = toFloat32(weight).map((value, i) => {
      const channel = axis === null ? 0 : Math.floor(i / inner) % scales.length;
      const [scale, zero] = [scales[channel]!, zeroPoints[channel] ?? 0];
      return Math.min((high - zero) * scale, Math.max((low - zero) * scale, value));
    });
    const name = `${prefix}clipped:${layer.weight!.tensor}`;
    this.#initializers.set(name, makeTensorProto(name, makeTensor('float32', weight.dims, values)));
    return name;
  }

  #float(name: string, value: number): void {
    this.#initializers.set(name, makeTensorProto(name, makeTensor('float32', [], Float32Array.of(value))));
  }

  #read(tensor: string): void {
    if (this.#pair.tensors.has(tensor)) this.#inputs.add(tensor);
  }
}

function describe(name: string, tensors: ReadonlyMap<string, TensorInfo>): ReturnType<typeof valueInfo> {
  const { type, shape } = tensors.get(name)!;
  // The runtime describes a tensor of unknown rank like a scalar.
  return valueInfo(name, type, shape.length === 0 ? undefined : shape);
}
