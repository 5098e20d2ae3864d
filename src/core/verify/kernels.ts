/**
 * Which kernel each layer really became. A planned layer only counts as quantized when the graph that
 * the runtime made of the int8 model says so. Everything here is a pure function of the two graphs.
 */

import type { Status } from '../../shared/report';
import { REASONS, type ReasonCode } from '../../shared/reasons';
import type { Conversion } from '../convert/types';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, type Graph } from '../onnx/graph';
import { canonicalDomain } from '../onnx/model';
import { elementTypeOf } from '../onnx/tensorProto';
import type { Plan, PlannedLayer } from '../plan/types';

type Int8Output = 'integer' | 'float' | 'either';

/**
 * Operators that compute on 8-bit integers, and what comes out of them
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md; ONNX Operators.md).
 * `either`: integers where the node has an output scale, else floats.
 */
const INT8_KERNELS: Readonly<Record<string, Int8Output>> = {
  QLinearConv: 'integer',
  QLinearMatMul: 'integer',
  ConvInteger: 'float',
  MatMulInteger: 'float',
  'com.microsoft:QLinearConv': 'integer',
  'com.microsoft:QLinearAdd': 'integer',
  'com.microsoft:QLinearMul': 'integer',
  'com.microsoft:QLinearAveragePool': 'integer',
  'com.microsoft:QLinearGlobalAveragePool': 'integer',
  'com.microsoft:QLinearConcat': 'integer',
  'com.microsoft:QLinearLeakyRelu': 'integer',
  'com.microsoft:QLinearReduceMean': 'integer',
  'com.microsoft:QLinearSigmoid': 'integer',
  'com.microsoft:QLinearSoftmax': 'integer',
  'com.microsoft:QLinearWhere': 'integer',
  'com.microsoft:NhwcMaxPool': 'integer',
  'com.microsoft:QGemm': 'either',
  'com.microsoft:ConvTransposeInteger': 'float',
  'com.microsoft:MatMulInteger16': 'float',
  'com.microsoft:MatMulIntegerToFloat': 'float',
  'com.microsoft:DynamicQuantizeMatMul': 'float',
  'com.microsoft:DynamicQuantizeLSTM': 'float',
  'com.microsoft:QAttention': 'float',
  'com.microsoft:QEmbedLayerNormalization': 'float',
};

/** Position of QGemm's output scale among its inputs. */
const QGEMM_OUTPUT_SCALE = 7;

const QUANTIZERS: ReadonlySet<string> = new Set(['QuantizeLinear', 'DynamicQuantizeLinear']);

/** Operators whose output tells about their integer input but does not hold its values. */
const LEAVES_INTEGERS: ReadonlySet<string> = new Set([
  'DequantizeLinear',
  'Cast',
  'CastLike',
  'Shape',
  'Size',
  'ArgMax',
  'ArgMin',
  'NonZero',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'OneHot',
]);

const CONVERSIONS: ReadonlySet<string> = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);

/** Nodes that only change between float and integer. */
export function isConversion(node: NodeProto): boolean {
  return CONVERSIONS.has(localOp(node));
}

/** The runtime keeps its own copies of ONNX operators under its domain: 16-bit QuantizeLinear, for one. */
function localOp(node: NodeProto): string {
  return opKey(node).replace(/^com\.microsoft:/, '');
}

/**
 * The node that a kernel mainly came from: the runtime calls fusions `fused X` and `X/MatMulScaleFusion/`,
 * and copies of X in another layout `X_token_7`.
 */
export function stemOf(name: string): string {
  return name
    .replace(/_token_\d+$/, '')
    .replace(/^fused /, '')
    .replace(/\/\w+Fusion\/?$/, '');
}

/** What a layer became in the runtime's graph. */
export interface Kernel {
  /** Name of the node in that graph. */
  readonly node: string;
  /** Operator type without its domain. */
  readonly op: string;
  /** What comes out of it where it is one that computes on 8-bit integers, and does not only move them. */
  readonly int8: Int8Output | undefined;
  /** Whether it computes on, or moves, quantized integers. */
  readonly integer: boolean;
  /** Whether it is named after the layer; else the layer was merged into the kernel of another. */
  readonly own: boolean;
}

export interface Verdict {
  readonly status: Status;
  readonly reason: ReasonCode | null;
  /** Operator type of the kernel; `null` where the runtime removed the layer or merged it into another. */
  readonly kernel: string | null;
}

/**
 * The kernel of every layer that still has one, by layer name.
 * @param optimized the runtime's graph of the int8 model at level `extended`, which keeps the names
 *   of nodes and tensors; `all` renames them for its layouts without another choice of arithmetic
 */
export function findKernels(plan: Plan, conversion: Conversion, optimized: Graph): Map<string, Kernel> {
  const integers = quantizedTensors(optimized);
  const kept = optimized.nodes.filter((node) => node.name !== '' && !isConversion(node));
  const byName = new Map([...kept.map((n) => [stemOf(n.name), n] as const), ...kept.map((n) => [n.name, n] as const)]);
  const kernels = new Map<string, Kernel>();
  for (const layer of plan.layers) {
    const own = byName.get(layer.name);
    const node = own ?? makerOf(layer, conversion, optimized) ?? namedLike(layer.fused, byName);
    if (node === undefined) continue;
    const integer = runsOnIntegers(node, integers);
    const int8 = INT8_KERNELS[opKey(node)];
    kernels.set(layer.name, { node: node.name, op: node.opType, int8, integer, own: own !== undefined });
  }
  return kernels;
}

function namedLike(nodes: readonly NodeProto[], byName: ReadonlyMap<string, NodeProto>): NodeProto | undefined {
  return nodes.map((node) => byName.get(node.name)).find((found) => found !== undefined);
}

/** The node that makes a layer's output, in float or as integers; conversions are looked through. */
function makerOf(layer: PlannedLayer, conversion: Conversion, optimized: Graph): NodeProto | undefined {
  for (const tensor of tensorsOf(layer, conversion)) {
    let node = optimized.producer(tensor);
    while (node !== undefined && isConversion(node)) node = optimized.producer(node.input[0] ?? '');
    if (node !== undefined) return node;
  }
  return undefined;
}

/** Names under which a layer's outputs may stand in the int8 model. */
export function tensorsOf(layer: PlannedLayer, conversion: Conversion): string[] {
  return layer.outputs.flatMap((name) => {
    const activation = conversion.activations.get(name);
    return activation === undefined ? [name] : [activation.integer, name, activation.dequantized];
  });
}

/** Tensors of a graph that hold quantized values: 8- or 16-bit constants, and all that is made by quantizing. */
function quantizedTensors(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const tensor of graph.proto.initializer) {
    if (/^u?int(8|16)$/.test(elementTypeOf(tensor.dataType) ?? '')) found.add(tensor.name);
  }
  for (const node of graph.nodes) {
    if (makesIntegers(node, found)) for (const output of node.output) found.add(output);
  }
  found.delete('');
  return found;
}

function makesIntegers(node: NodeProto, integers: ReadonlySet<string>): boolean {
  const op = localOp(node);
  if (QUANTIZERS.has(op)) return true;
  if (LEAVES_INTEGERS.has(op)) return false;
  const result = INT8_KERNELS[opKey(node)];
  if (result === 'either') return (node.input[QGEMM_OUTPUT_SCALE] ?? '') !== '';
  return result === undefined ? movesIntegers(node, integers) : result === 'integer';
}

/** The runtime's own operators outside the table only read integer weights (MatMulNBits) and compute in float. */
function movesIntegers(node: NodeProto, integers: ReadonlySet<string>): boolean {
  return canonicalDomain(node.domain) === '' && node.input.some((name) => integers.has(name));
}

/** A kernel of the table, or one that moves quantized integers, such as a MaxPool or Reshape of uint8. */
function runsOnIntegers(node: NodeProto, integers: ReadonlySet<string>): boolean {
  return opKey(node) in INT8_KERNELS || (!isConversion(node) && movesIntegers(node, integers));
}

/**
 * Status and reason of every layer, by name: the plan's, unless the runtime did otherwise.
 * A layer without kernel was merged into its neighbour and shares its fate, for which the plan stands.
 */
export function classify(plan: Plan, kernels: ReadonlyMap<string, Kernel>): Map<string, Verdict> {
  const names = new Set(plan.layers.map(({ name }) => name));
  return new Map(plan.layers.map((layer) => [layer.name, verdictOf(layer, kernels.get(layer.name), names)]));
}

function verdictOf(layer: PlannedLayer, kernel: Kernel | undefined, names: ReadonlySet<string>): Verdict {
  const op = kernel?.op ?? null;
  // A float layer may be the last step of its neighbour's int8 kernel, such as the Add of a bias.
  if (kernel?.integer === true && (layer.quantize || kernel.own)) {
    return { status: 'quantized', reason: null, kernel: op };
  }
  if (!layer.quantize) {
    const status = layer.reason === null ? 'float' : REASONS[layer.reason].status;
    const isMerged = kernel === undefined || (!kernel.own && names.has(stemOf(kernel.node)));
    // What the runtime makes part of a neighbour, as it does five operators of a Gelu, wants no kernel of its own.
    if (isMerged && status === 'fallback') return { status: 'float', reason: 'merged', kernel: null };
    // The kernel that makes what a removed node handed on is that of the layer before it.
    const removed = layer.reason === 'no-op' && kernel?.own !== true;
    return { status, reason: layer.reason, kernel: removed ? null : op };
  }
  // Weights alone in int8 are meant to be computed with in float.
  if (layer.mode === 'weight-only') return { status: 'quantized', reason: null, kernel: op };
  // What only moves data may vanish into its neighbour; a product that no kernel answers for is not known to be int8.
  if (kernel === undefined && layer.kind !== 'compute') return { status: 'quantized', reason: null, kernel: op };
  return { status: 'fallback', reason: 'runtime-not-fused', kernel: op };
}
