/**
 * Which float layers onnxruntime's optimizer would take for int8, and so must not see the DequantizeLinear behind an
 * int8 layer. Pure.
 *
 * It does so in two ways. A Conv, ConvTranspose or Gemm whose input is a DequantizeLinear of one scale has its weight
 * rounded to int8 per tensor, whatever the model says; since 1.22 only where a QuantizeLinear follows, in 1.20 and 1.21
 * always (qdq_transformer/weight_bias_quantization.cc). An operator between DequantizeLinear nodes and a QuantizeLinear
 * becomes its int8 kernel (qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc). Before both, pairs of
 * Q and DQ are moved through operators that only move values (qdq_propagation.cc), and nodes are removed that do nothing
 * or are merged into others.
 */

import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, type Graph } from '../onnx/graph';
import { isStatic, type Plan, type PlannedLayer } from '../plan/types';

/** Taken wherever a DequantizeLinear stands before them: a MatMul becomes a Gemm with the Add behind it. */
const TAKEN: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Taken between DequantizeLinear nodes and a QuantizeLinear: which inputs must come from one. */
const TAKEN_BETWEEN: Readonly<Record<string, 'first' | 'all' | 'branches'>> = {
  Add: 'all',
  Mul: 'all',
  Concat: 'all',
  Where: 'branches',
  AveragePool: 'first',
  GlobalAveragePool: 'first',
  LeakyRelu: 'first',
  Sigmoid: 'first',
  Softmax: 'first',
  Resize: 'first',
};

/** Through these Q and DQ are moved, or they are removed or merged: what stands behind them reads what they read. */
const PASSES: ReadonlySet<string> = new Set([
  ...['MaxPool', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice'],
  ...['Identity', 'Dropout', 'Cast', 'Expand', 'Pad'],
]);

/** Removed where the QuantizeLinear behind them cuts at the same place (relu_quantizelinear.cc, clip_quantizelinear.cc). */
const CUTS: ReadonlySet<string> = new Set(['Relu', 'Clip']);

/** Removed where one operand is this constant (noop_elimination.cc). */
const NEUTRAL: Readonly<Record<string, number>> = { Add: 0, Sub: 0, Mul: 1, Div: 1 };

/** Whether an operator hands its values on, so that an optimizer may move or remove it. */
export function movesValues(graph: Graph, node: NodeProto): boolean {
  const op = opKey(node);
  if (PASSES.has(op)) return true;
  const neutral = Object.hasOwn(NEUTRAL, op) ? NEUTRAL[op] : undefined;
  return neutral !== undefined && node.input.some((name) => isScalar(graph, name, neutral));
}

/** Whether an operator does no more than a QuantizeLinear behind it may do instead. */
export function onlyCuts(node: NodeProto): boolean {
  return CUTS.has(opKey(node));
}

/** Weights alone in int8 are computed with in float. */
export function computesInFloat({ quantize, mode }: PlannedLayer): boolean {
  return !quantize || mode === 'weight-only';
}

function isScalar(graph: Graph, name: string, value: number): boolean {
  const constant = graph.constant(name);
  return constant?.data.length === 1 && Number(constant.data[0]) === value;
}

/** Answers for the layers of one plan in linear time. */
export class Exposure {
  readonly #plan: Plan;
  readonly #graph: Graph;
  readonly #makers = new Map<string, PlannedLayer>();
  /** Layers that compute in float, by their node. */
  readonly #floats = new Map<NodeProto, PlannedLayer>();
  /** Float layers that would be taken if they read a DequantizeLinear. */
  readonly #taken = new Set<PlannedLayer>();
  /** Tensors that become integers, be it after a few nodes that integers are moved through. */
  readonly #toIntegers = new Set<string>();

  /** @param graph of the fp32 model */
  constructor(plan: Plan, graph: Graph) {
    this.#plan = plan;
    this.#graph = graph;
    for (const layer of plan.layers) {
      for (const name of layer.outputs) this.#makers.set(name, layer);
      if (computesInFloat(layer)) this.#floats.set(layer.node, layer);
    }
    for (const name of plan.activations.keys()) this.#toIntegers.add(name);
    for (const layer of [...plan.layers].reverse()) {
      if (!computesInFloat(layer)) continue;
      if (this.#isTaken(layer)) this.#taken.add(layer);
      const handsOn = movesValues(graph, layer.node) || onlyCuts(layer.node);
      if (handsOn && layer.outputs.some((name) => this.#toIntegers.has(name)))
        for (const name of layer.node.input) this.#toIntegers.add(name);
    }
  }

  /**
   * The input that a layer, computed in float, must read behind a barrier: the first that an int8 layer makes, since all
   * must be dequantized for the optimizer to take it.
   * @returns `undefined` where nothing threatens the layer
   */
  barredInput(layer: PlannedLayer): string | undefined {
    const made = layer.node.input.find((name) => this.#isMadeInt8(name));
    if (made === undefined) return undefined;
    if (!this.#plan.activations.has(made)) return this.#isAddedTo(layer, made) ? made : undefined;
    return this.#taken.has(layer) || (!computesInFloat(layer) && this.#isTaken(layer)) ? made : undefined;
  }

  /**
   * The channels of a tensor that only float convolutions read. One scale a channel, all alike, then serves as barrier:
   * no optimizer knows activations quantized so, and it costs no time.
   */
  channelsOf(tensor: string): number | undefined {
    if (this.#graph.isOutput(tensor)) return undefined;
    const counts = new Set(this.#graph.uses(tensor).map(({ node, index }) => this.#inputChannels(node, index)));
    const [count] = counts;
    // A scale of one element counts as a scalar.
    return counts.size === 1 && count !== undefined && count > 1 ? count : undefined;
  }

  #inputChannels(node: NodeProto, index: number): number | undefined {
    // Beside weights of integers the runtime asks for integers only, not for one scale.
    if (index !== 0 || this.#floats.get(node)?.quantize !== false) return undefined;
    const [first, second] = this.#graph.initializer(node.input[1] ?? '')?.dims.map(Number) ?? [];
    if (node.opType === 'ConvTranspose') return first;
    return node.opType === 'Conv' && second !== undefined ? second * intAttribute(node, 'group', 1) : undefined;
  }

  #isTaken({ node, outputs }: PlannedLayer): boolean {
    const op = opKey(node);
    if (TAKEN.has(op)) return true;
    if (
      movesValues(this.#graph, node) &&
      outputs.some((name) => this.#graph.uses(name).some((use) => this.#reaches(use.node)))
    )
      return true;
    const between = Object.hasOwn(TAKEN_BETWEEN, op) ? TAKEN_BETWEEN[op] : undefined;
    if (between === undefined || !outputs.some((name) => this.#toIntegers.has(name))) return false;
    const { input } = node;
    const needed = between === 'all' ? input : between === 'first' ? input.slice(0, 1) : input.slice(1);
    return needed.every((name) => this.#mayBeDequantized(name));
  }

  #reaches(node: NodeProto): boolean {
    const layer = this.#floats.get(node);
    return layer !== undefined && this.#taken.has(layer);
  }

  #isMadeInt8(tensor: string): boolean {
    const maker = this.#makers.get(tensor);
    return maker !== undefined && isStatic(maker);
  }

  #mayBeDequantized(tensor: string): boolean {
    const maker = this.#makers.get(tensor);
    return maker !== undefined && (isStatic(maker) || movesValues(this.#graph, maker.node));
  }

  /** Behind an int8 product without QuantizeLinear: a bias that the plan keeps apart, or a sum with a Gemm (gemm_sum_fusion.cc). */
  #isAddedTo({ node, reason }: PlannedLayer, product: string): boolean {
    const maker = this.#makers.get(product);
    if (opKey(node) === 'Sum') return maker?.op === 'Gemm';
    const bias = opKey(node) === 'Add' && node.input.some((name) => this.#graph.isConstant(name));
    return bias && reason === 'excluded' && maker?.kind === 'compute';
  }
}
