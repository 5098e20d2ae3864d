/**
 * Where the fp32 and the int8 model can be compared without changing how the runtime executes either.
 * A pure decision: every float tensor of the fp32 model ends up compared or listed with the reason.
 */

import type { ActivationType } from '../../shared/recipe';
import type { Conversion } from '../convert/types';
import { subgraphs } from '../onnx/attributes';
import type { GraphProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import { isNoOp } from '../onnx/noOp';
import { isStatic, type Plan, type PlannedLayer } from '../plan/types';
import { isFloatType } from '../tensor';
import type { TensorInfo } from '../runtime/session';

/** How the integers of a tapped tensor become numbers. */
export interface Quantization {
  readonly type: ActivationType;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** One tensor of the fp32 model and where its value stands in the int8 model. */
export interface Tap {
  readonly tensor: string;
  readonly int8: string;
  /** Absent where the int8 model holds it as floats. */
  readonly quantization?: Quantization;
}

export interface Unmatched {
  readonly tensor: string;
  readonly why: string;
}

export function isFloat(info: TensorInfo | undefined): boolean {
  return info !== undefined && isFloatType(info.type);
}

/**
 * @param fp32 the normalised fp32 graph
 * @param tensors type and shape of its inputs and node outputs
 * @param optimized the runtime's own graph of the int8 model: what it still holds can be made an output
 *   without undoing a fusion; a float between a kernel and its QuantizeLinear cannot
 */
export function chooseTaps(
  fp32: Graph,
  tensors: ReadonlyMap<string, TensorInfo>,
  plan: Plan,
  conversion: Conversion,
  optimized: Graph,
): { taps: Tap[]; unmatched: Unmatched[] } {
  const layers = layersByTensor(plan);
  const inputs = new Set(fp32.inputs);
  const taps: Tap[] = [];
  const unmatched: Unmatched[] = [];
  for (const tensor of [...inputs, ...fp32.nodes.flatMap((node) => node.output)]) {
    if (tensor === '' || fp32.isConstant(tensor) || !isFloat(tensors.get(tensor))) continue;
    const layer = layers.get(tensor);
    const tap = [tensor, ...handedOn(fp32, tensor)]
      .map((name) => {
        const maker = layers.get(name);
        return tapOf(name, maker !== undefined && isStatic(maker), conversion, optimized, inputs);
      })
      .find((found) => found !== undefined);
    if (tap !== undefined) taps.push({ ...tap, tensor });
    else unmatched.push({ tensor, why: reasonOf(tensor, layer, inputs) });
  }
  for (const node of fp32.nodes) {
    for (const tensor of subgraphs(node).flatMap(tensorsInside)) {
      unmatched.push({ tensor, why: `inside a subgraph of ${node.opType}, which stays in float` });
    }
  }
  return { taps, unmatched };
}

/** The last layer with a tensor among its nodes' outputs. */
function layersByTensor(plan: Plan): Map<string, PlannedLayer> {
  return new Map(
    plan.layers.flatMap((layer) =>
      [layer.node, ...layer.fused].flatMap((node) => node.output.map((tensor) => [tensor, layer] as const)),
    ),
  );
}

/**
 * What a static layer makes is read as integers; what any other makes as floats, before it is
 * quantized for others; of a model input only the integers differ.
 */
function tapOf(
  tensor: string,
  madeOfIntegers: boolean,
  conversion: Conversion,
  optimized: Graph,
  inputs: ReadonlySet<string>,
): Tap | undefined {
  const asFloat = inputs.has(tensor) || !holds(optimized, tensor) ? undefined : { tensor, int8: tensor };
  if (asFloat !== undefined && (!madeOfIntegers || optimized.isOutput(tensor))) return asFloat;
  const activation = conversion.activations.get(tensor);
  if (activation === undefined || !holds(optimized, activation.integer)) return asFloat;
  const { type, scale, zeroPoint } = activation;
  return { tensor, int8: activation.integer, quantization: { type, scale, zeroPoint } };
}

/** The tensors that hold the same values because nodes hand them on unchanged. */
function handedOn(graph: Graph, tensor: string): string[] {
  const next = graph.soleConsumer(tensor);
  const same = next === undefined || !isNoOp(graph, next) ? undefined : next.output[0];
  return same === undefined ? [] : [same, ...handedOn(graph, same)];
}

function holds(optimized: Graph, tensor: string): boolean {
  return optimized.producer(tensor) !== undefined;
}

function reasonOf(tensor: string, layer: PlannedLayer | undefined, inputs: ReadonlySet<string>): string {
  if (inputs.has(tensor)) return 'a model input that both models get in float';
  if (layer === undefined) return 'made by no layer of the plan';
  if (!layer.outputs.includes(tensor)) {
    const after = layer.fused.map((node) => node.opType).join(' and ');
    return `before a fused ${after}; compared after it, as "${layer.outputs[0] ?? ''}"`;
  }
  return `inside a kernel that the runtime fused around "${layer.name}"`;
}

function tensorsInside(graph: GraphProto): string[] {
  return graph.node.flatMap((node) => [
    ...node.output.filter((name) => name !== ''),
    ...subgraphs(node).flatMap(tensorsInside),
  ]);
}
