/** Graph, backend and recipe to a plan. Pure: the same input gives the same plan, and no data is needed. */

import { activationOverride, weightOverride, type Recipe, type WeightType } from '../../shared/recipe';
import { QuantscopeError } from '../../shared/errors';
import type { Backend, OpRule } from '../backends/types';
import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { opsetVersion, type OnnxModel } from '../onnx/model';
import type { TensorInfo } from '../runtime/session';
import { planActivations } from './activations';
import { draftLayers, layerOutputs, settleIslands, type LayerDraft } from './layers';
import { resolveOverrides, type NodeOverride } from './selectors';
import type { ActivationPlan, Plan, PlannedLayer, WeightPlan } from './types';

export interface PlanRequest {
  readonly model: OnnxModel;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly backend: Backend;
  readonly recipe: Recipe;
  /** Whether u8×s8 products saturate on the CPU the model is made for. */
  readonly saturates: boolean;
}

/** @throws `selector-unmatched`, `plan-impossible` */
export function makePlan(request: PlanRequest): Plan {
  const { model, tensors, backend, recipe } = request;
  const mode = recipe.mode ?? 'static';
  const format = recipe.format ?? 'qdq';
  const graph = new Graph(model);
  const nodes = graph.nodes.map((node) => ({ name: node.name, op: node.opType }));
  const overrides = resolveOverrides(recipe.layers ?? [], nodes);
  const symmetric = activationOverride(recipe.activations).symmetric ?? backend.activations.symmetric;
  const drafts = draftLayers({ graph, tensors, backend, mode, overrides, symmetric });
  if (mode === 'static') settleIslands(drafts, graph);
  const activations =
    mode === 'static'
      ? planActivations({ drafts, graph, backend, recipe, overrides })
      : new Map<string, ActivationPlan>();
  const layers = drafts.map((draft) => planLayer(draft, request, overrides.get(draft.node.name), graph, activations));
  const requiredOpset = Math.max(MODE_OPSET[mode], ...[...activations.values()].map(({ type }) => TYPE_OPSET[type]));
  if (format === 'qoperator' && requiredOpset > TYPE_OPSET.uint8) {
    throw new QuantscopeError('plan-impossible', 'The qoperator format knows no 16-bit activations.', {
      hint: 'Use `format: qdq`.',
    });
  }
  return { mode, format, layers, activations, requiredOpset };
}

/** DequantizeLinear takes a channel axis since 13; DynamicQuantizeLinear came with 11. */
const MODE_OPSET = { static: 13, dynamic: 11, 'weight-only': 13 } as const;
/** QuantizeLinear takes 16 bits since 21. */
const TYPE_OPSET = { uint8: 13, int8: 13, uint16: 21, int16: 21 } as const;

/** Whether the model's own opset can express the plan. */
export function opsetSuffices(model: OnnxModel, plan: Plan): boolean {
  return (opsetVersion(model) ?? 0) >= plan.requiredOpset;
}

function planLayer(
  draft: LayerDraft,
  request: PlanRequest,
  override: NodeOverride | undefined,
  graph: Graph,
  activations: ReadonlyMap<string, ActivationPlan>,
): PlannedLayer {
  const { node, rule, fused, quantize, reason } = draft;
  const weight = quantize && rule?.weight !== undefined ? planWeight(node, rule, request, override, graph) : null;
  const bias = rule?.bias === undefined ? '' : (node.input[rule.bias] ?? '');
  return {
    name: node.name,
    op: node.opType,
    kind: rule?.kind ?? 'none',
    node,
    fused,
    quantize,
    reason,
    inputs: quantize ? draft.activations.filter((name) => activations.has(name)) : [],
    outputs: layerOutputs(draft),
    weight,
    bias: quantize && bias !== '' ? bias : null,
  };
}

const WEIGHT_RANGES: Readonly<Record<WeightType, { qmin: number; qmax: number }>> = {
  int8: { qmin: -127, qmax: 127 },
  uint8: { qmin: 0, qmax: 255 },
};
/** onnxruntime's reduced ranges (quant_utils.py, ONNX_INT_TYPE_REDUCED_RANGE). */
const REDUCED: Readonly<Record<WeightType, { qmin: number; qmax: number }>> = {
  int8: { qmin: -64, qmax: 64 },
  uint8: { qmin: 0, qmax: 127 },
};

function planWeight(
  node: NodeProto,
  rule: OpRule,
  { backend, recipe, saturates }: PlanRequest,
  override: NodeOverride | undefined,
  graph: Graph,
): WeightPlan | null {
  const { weight } = rule;
  const tensor = weight === undefined ? undefined : node.input[weight.input];
  if (weight === undefined || tensor === undefined) return null;
  const base = weightOverride(recipe.weights);
  const own = weightOverride(override?.weights);
  const type = own.type ?? base.type ?? backend.weights.type;
  const symmetric = own.symmetric ?? base.symmetric ?? backend.weights.symmetric;
  const granularity = own.granularity ?? base.granularity ?? backend.weights.granularity;
  const reduceRange = own.reduceRange ?? base.reduceRange ?? false;
  const perTensor = granularity === 'per-tensor' || rule.perTensorWeight === true || recipe.mode === 'dynamic';
  const dims = graph.constant(tensor)?.dims ?? [];
  const axis = perTensor ? null : channelAxis(weight.axis, node, dims.length);
  const full = type === backend.weights.type ? backend.weights : WEIGHT_RANGES[type];
  const { qmin, qmax } = reduceRange ? REDUCED[type] : full;
  const guarded = saturates && backend.id === 'ort-cpu' && type === 'int8' && !reduceRange && !isDepthwise(node, dims);
  return { tensor, input: weight.input, type, symmetric, qmin, qmax, axis, saturation: guarded ? 'pairs' : 'none' };
}

function channelAxis(axis: number | 'gemm' | 'last' | null, node: NodeProto, rank: number): number | null {
  if (axis === 'gemm') return intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
  if (axis === 'last') return rank >= 2 ? rank - 1 : null;
  return axis;
}

/** onnxruntime runs these by a kernel that widens to 16 bits first, which cannot saturate (MLAS, MlasConvDepthwise). */
function isDepthwise(node: NodeProto, dims: readonly number[]): boolean {
  return node.opType === 'Conv' && dims[1] === 1 && intAttribute(node, 'group', 1) > 1;
}
