/** Static quantization in QDQ form: what the plan says, with the ranges that calibration found. */

import { QuantscopeError } from '../../shared/errors';
import { paramsOf, type QuantSpec, type Range } from '../calibrate/qparams';
import { quantizeArray } from '../calibrate/quantize';
import { floatAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import type { NodeSpec } from '../onnx/model';
import { biasAddOf } from '../plan/layers';
import type { ActivationPlan, Plan, PlannedLayer } from '../plan/types';
import { allocate, makeTensor, toFloat32, type Tensor } from '../tensor';
import type { Construction } from './construction';
import type { ModelEditor } from './edits';
import { correctBias, outputShift } from './biasCorrection';
import { productOrder, quantizeBias, quantizeWeight, weightParams } from './weights';

/**
 * Obeys the static layers of a plan.
 * @param ranges of the plan's activation tensors; constants need none
 * @throws `plan-impossible` where a range is missing
 */
export function convertStatic(
  construction: Construction,
  ranges: ReadonlyMap<string, Range>,
  means: ReadonlyMap<string, Float32Array> = new Map(),
): void {
  new StaticConverter(construction, ranges, means).convert();
}

interface GroupParams {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly range: Range;
  readonly scaleName: string;
  readonly zeroPointName: string;
}

class StaticConverter {
  readonly #construction: Construction;
  readonly #plan: Plan;
  readonly #ranges: ReadonlyMap<string, Range>;
  readonly #means: ReadonlyMap<string, Float32Array>;
  readonly #graph: Graph;
  readonly #editor: ModelEditor;
  readonly #groups = new Map<string, GroupParams>();

  constructor(
    construction: Construction,
    ranges: ReadonlyMap<string, Range>,
    means: ReadonlyMap<string, Float32Array>,
  ) {
    this.#construction = construction;
    this.#plan = construction.plan;
    this.#ranges = ranges;
    this.#means = means;
    this.#graph = construction.graph;
    this.#editor = construction.editor;
  }

  convert(): void {
    const quantized = this.#construction.layersOf('static');
    this.#makeGroups();
    for (const layer of quantized) this.#foldActivations(layer);
    const madeByInt8 = new Map(quantized.flatMap((layer) => layer.outputs.map((name) => [name, layer] as const)));
    const readers = new Map<string, PlannedLayer[]>();
    for (const layer of quantized) {
      for (const name of new Set(layer.inputs)) {
        const list = readers.get(name);
        if (list === undefined) readers.set(name, [layer]);
        else list.push(layer);
      }
    }
    for (const activation of this.#plan.activations.values()) {
      const { tensor } = activation;
      this.#addPair(activation, madeByInt8.get(tensor), readers.get(tensor) ?? []);
    }
    for (const layer of quantized) this.#quantizeWeight(layer);
    for (const node of new Set(quantized.flatMap((layer) => layer.apart))) this.#spellOut(this.#nodeOf(node));
  }

  #nodeOf(original: NodeProto): NodeProto {
    return this.#construction.nodeOf(original);
  }

  /** One scale and zero point a group, from the union of its members' ranges. */
  #makeGroups(): void {
    const members = new Map<string, ActivationPlan[]>();
    for (const activation of this.#plan.activations.values()) {
      const list = members.get(activation.group);
      if (list === undefined) members.set(activation.group, [activation]);
      else list.push(activation);
    }
    for (const [group, list] of members) {
      const [first] = list;
      if (first === undefined) continue;
      const found = list.map((activation) => this.#rangeOf(activation));
      const range = { min: Math.min(...found.map((r) => r.min)), max: Math.max(...found.map((r) => r.max)) };
      const spec: QuantSpec = { bits: first.type.endsWith('16') ? 16 : 8, ...first };
      const params = paramsOf(range, spec, this.#construction.convention);
      const { scale } = params;
      // Nothing but zeros was seen: most often a Relu that never opened, whose cut at 0 must stay.
      const zeroPoint = range.min === range.max && !first.symmetric ? first.qmin : params.zeroPoint;
      const zero = allocate(first.type, 1);
      zero[0] = zeroPoint;
      this.#groups.set(group, {
        scale,
        zeroPoint,
        range,
        scaleName: this.#editor.addInitializer(`${group}_scale`, makeTensor('float32', [], Float32Array.of(scale))),
        zeroPointName: this.#editor.addInitializer(`${group}_zero_point`, makeTensor(first.type, [], zero)),
      });
    }
  }

  #rangeOf({ tensor, fixedRange }: ActivationPlan): Range {
    const constant = this.#graph.constant(tensor);
    if (constant !== undefined) return spanOf(toFloat32(constant));
    const range = fixedRange ?? this.#ranges.get(tensor);
    if (range === undefined)
      throw new QuantscopeError('plan-impossible', `The range of the tensor "${tensor}" was not measured.`);
    return range;
  }

  #groupOf(tensor: string): GroupParams {
    const plan = this.#plan.activations.get(tensor);
    const group = plan === undefined ? undefined : this.#groups.get(plan.group);
    if (group === undefined) throw new QuantscopeError('internal', `The tensor "${tensor}" has no scale.`);
    return group;
  }

  /** Relu and Clip go: the layer writes their output itself, and the quantizer cuts where they did. */
  #foldActivations(layer: PlannedLayer): void {
    const folded = layer.fused.filter((node) => node !== biasAddOf(layer));
    if (folded.length === 0) return;
    for (const node of folded) this.#editor.remove(this.#nodeOf(node));
    this.#writerOf(layer).output[0] = layer.outputs[0] ?? '';
  }

  /** A Relu or Clip as Max and Min, which no fusion takes for the cut of a quantizer. */
  #spellOut(node: NodeProto): void {
    const editor = this.#editor;
    const zero = (): string =>
      editor.addInitializer(`${node.name}_zero`, makeTensor('float32', [], Float32Array.of(0)));
    const [x = '', low = '', high = ''] = node.opType === 'Relu' ? [node.input[0], zero()] : node.input;
    if (low !== '' && high !== '') {
      const cut = editor.freshName(`${node.name}_low`);
      editor.insertBefore(node, { op: 'Max', name: cut, inputs: [x, low], outputs: [cut] });
      Object.assign(node, { opType: 'Min', input: [cut, high] });
    } else if (low !== '' || high !== '') {
      Object.assign(node, low === '' ? { opType: 'Min', input: [x, high] } : { opType: 'Max', input: [x, low] });
    }
  }

  /** The node that writes what a layer makes. The Add of a bias stays, for the runtime to make a Gemm of. */
  #writerOf(layer: PlannedLayer): NodeProto {
    return this.#nodeOf(biasAddOf(layer) ?? layer.node);
  }

  /**
   * Quantizes one tensor. What an int8 layer makes is seen only through its integers, by everybody;
   * what a float layer makes stays float for float readers.
   */
  #addPair(activation: ActivationPlan, producer: PlannedLayer | undefined, readers: readonly PlannedLayer[]): void {
    const { tensor, type } = activation;
    const constant = this.#graph.constant(tensor);
    if (constant !== undefined) {
      this.#redirect(tensor, this.#storeConstant(activation, toFloat32(constant), constant.dims), readers);
      return;
    }
    const editor = this.#editor;
    const { scale, zeroPoint, range } = this.#groupOf(tensor);
    const integer = editor.freshName(`${tensor}_quantized`);
    let dequantized = tensor;
    if (producer !== undefined) {
      const node = this.#writerOf(producer);
      const raw = editor.freshName(`${tensor}_float`);
      node.output[node.output.indexOf(tensor)] = raw;
      editor.insertAfter(node, this.#quantizer(tensor, raw, integer));
      const channels = this.#construction.exposure.channelsOf(tensor);
      editor.insertAfter(node, this.#dequantizer(tensor, integer, dequantized, channels));
    } else {
      dequantized = editor.freshName(`${tensor}_dequantized`);
      const maker = this.#graph.producer(tensor);
      for (const spec of [this.#quantizer(tensor, tensor, integer), this.#dequantizer(tensor, integer, dequantized)]) {
        if (maker === undefined) editor.insertFirst(spec);
        else editor.insertAfter(this.#nodeOf(maker), spec);
      }
      this.#redirect(tensor, dequantized, readers);
    }
    this.#construction.activations.set(tensor, { tensor, integer, dequantized, type, scale, zeroPoint, range });
  }

  #quantizer(tensor: string, source: string, integer: string): NodeSpec {
    const { scaleName, zeroPointName } = this.#groupOf(tensor);
    const name = this.#editor.freshName(`${tensor}_QuantizeLinear`);
    return { op: 'QuantizeLinear', name, inputs: [source, scaleName, zeroPointName], outputs: [integer] };
  }

  /** @param channels gives each its own scale, all alike: what float convolutions alone read (see {@link Exposure}) */
  #dequantizer(tensor: string, integer: string, dequantized: string, channels?: number): NodeSpec {
    const { scaleName, zeroPointName, scale, zeroPoint } = this.#groupOf(tensor);
    const editor = this.#editor;
    const name = editor.freshName(`${tensor}_DequantizeLinear`);
    const spec = { op: 'DequantizeLinear', name, outputs: [dequantized] };
    const type = this.#plan.activations.get(tensor)?.type;
    if (channels === undefined || type === undefined) return { ...spec, inputs: [integer, scaleName, zeroPointName] };
    const scales = makeTensor('float32', [channels], new Float32Array(channels).fill(scale));
    const zeros = { type, dims: [channels], data: allocate(type, channels).fill(zeroPoint) };
    return {
      ...spec,
      inputs: [
        integer,
        editor.addInitializer(`${tensor}_channel_scale`, scales),
        editor.addInitializer(`${tensor}_channel_zero_point`, zeros),
      ],
      attributes: { axis: 1 },
    };
  }

  /** A constant operand, such as what an Add adds, is stored as integers; returns the float name. */
  #storeConstant({ tensor, type }: ActivationPlan, values: Float32Array, dims: readonly number[]): string {
    const { scale, zeroPoint } = this.#groupOf(tensor);
    const data = quantizeArray(values, dims, null, Float32Array.of(scale), Int32Array.of(zeroPoint), type);
    const stored = this.#editor.addInitializer(`${tensor}_quantized`, { type, dims, data });
    const dequantized = this.#editor.freshName(`${tensor}_dequantized`);
    this.#editor.insertFirst(this.#dequantizer(tensor, stored, dequantized));
    return dequantized;
  }

  /** Lets the int8 layers read `dequantized` in place of an activation input. */
  #redirect(tensor: string, dequantized: string, readers: readonly PlannedLayer[]): void {
    for (const layer of readers) {
      const node = this.#nodeOf(layer.node);
      node.input.forEach((name, index) => {
        if (name === tensor && index !== layer.weight?.input) node.input[index] = dequantized;
      });
    }
  }

  #quantizeWeight(layer: PlannedLayer): void {
    const { weight: plan, node: original } = layer;
    if (plan === null) return;
    const weight = this.#construction.constantOf(plan.tensor);
    const node = this.#nodeOf(original);
    const [input] = layer.inputs;
    const bias = layer.bias === null ? undefined : this.#graph.constant(layer.bias);
    const inputScale = input === undefined ? 1 : this.#groupOf(input).scale;
    const params = weightParams(weight, plan, {
      convention: this.#construction.convention,
      inputScale,
      ...(bias === undefined ? {} : { bias: toFloat32(bias) }),
      order: productOrder(original),
    });
    const integers = quantizeWeight(weight, plan, params);
    node.input[plan.input] = this.#addDequantized(
      node,
      plan.tensor,
      integers,
      params.scales,
      params.zeroPoints,
      plan.axis,
    );
    const means = input === undefined ? undefined : this.#means.get(input);
    const shift = means === undefined ? undefined : outputShift(original, weight, integers, params, means);
    const corrected = correctBias(bias === undefined ? undefined : toFloat32(bias), shift);
    const adder = this.#writerOf(layer);
    const biasInput = adder === node ? BIAS_INPUT[original.opType] : adder.input.indexOf(layer.bias ?? '');
    if (corrected !== undefined && biasInput !== undefined) {
      // C of a Gemm also holds alpha in its scale: it is added after A·B was multiplied by it.
      const alpha = original.opType === 'Gemm' ? floatAttribute(original, 'alpha', 1) : 1;
      const { data, scales } = quantizeBias(corrected, inputScale, params.scales, alpha);
      const name = layer.bias ?? `${layer.name}_bias`;
      const axis = plan.axis === null ? null : 0;
      const zeros = new Int32Array(scales.length);
      adder.input[biasInput] = this.#addDequantized(
        adder,
        name,
        makeTensor('int32', [data.length], data),
        scales,
        zeros,
        axis,
      );
    }
    this.#construction.weights.set(layer.name, { layer: layer.name, tensor: plan.tensor, type: plan.type, ...params });
  }

  /** An integer initializer and the DequantizeLinear that the kernels' fusion looks for; returns the float name. */
  #addDequantized(
    anchor: NodeProto,
    name: string,
    integers: Tensor,
    scales: Float32Array,
    zeroPoints: Int32Array,
    axis: number | null,
  ): string {
    const editor = this.#editor;
    const dims = axis === null ? [] : [scales.length];
    const zeros = allocate(integers.type, zeroPoints.length);
    zeroPoints.forEach((zero, i) => (zeros[i] = zero));
    const dequantized = editor.freshName(`${name}_dequantized`);
    editor.insertBefore(anchor, {
      op: 'DequantizeLinear',
      name: editor.freshName(`${name}_DequantizeLinear`),
      inputs: [
        editor.addInitializer(`${name}_quantized`, integers),
        editor.addInitializer(`${name}_scale`, makeTensor('float32', dims, scales)),
        editor.addInitializer(`${name}_zero_point`, { type: integers.type, dims, data: zeros }),
      ],
      outputs: [dequantized],
      attributes: axis === null ? {} : { axis },
    });
    return dequantized;
  }
}

/** Where the operators take their bias. That of a MatMul is added by the Add behind it. */
const BIAS_INPUT: Readonly<Record<string, number>> = { Conv: 2, Gemm: 2 };

function spanOf(values: Float32Array): Range {
  let min = 0;
  let max = 0;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
