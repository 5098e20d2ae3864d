/** Graph, backend and recipe to a plan. Pure: the same input gives the same plan, and no data is needed. */

import {
  activationOverride,
  onnxMode,
  weightOverride,
  type Mode,
  type Recipe,
  type WeightType,
} from '../../shared/recipe';
import { QuantscopeError } from '../../shared/errors';
import type { Backend, OpRule } from '../backends/types';
import { intAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, opKey } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { TensorInfo } from '../runtime/session';
import { planActivations } from './activations';
import { draftLayers, isFolded, layerOutputs, settleIslands, shapeComputations, type LayerDraft } from './layers';
import { resolveOverrides, type NodeOverride } from '../../shared/selectors';
import {
  isStatic,
  type ActivationPlan,
  type Concessions,
  type Plan,
  type PlannedLayer,
  type WeightPlan,
} from './types';

export interface PlanRequest {
  readonly model: OnnxModel;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly backend: Backend;
  readonly recipe: Recipe;
  /** Of nodes that are parts of a layer that was split: its name. */
  readonly parts?: ReadonlyMap<string, string>;
  /** Whether u8×s8 products saturate on the CPU the model is made for. */
  readonly saturates: boolean;
  /** What earlier plans for this request came to in the runtime. Default: nothing was tried yet. */
  readonly concessions?: Concessions;
}

/** @throws `selector-unmatched`, `plan-impossible` */
export function makePlan(request: PlanRequest): Plan {
  const { model, recipe, parts } = request;
  const mode = onnxMode(recipe);
  const format = recipe.format ?? 'qdq';
  const graph = new Graph(model);
  const nodes = graph.nodes.map(({ name, opType: op }) => {
    const partOf = parts?.get(name);
    return { name, op, ...(partOf === undefined ? {} : { partOf }) };
  });
  const overrides = resolveOverrides(recipe.layers ?? [], nodes);
  const shapeNodes = shapeComputations(graph);
  const { drafts, activations } = decide(request, graph, mode, overrides, shapeNodes);
  const layers = drafts.map((draft) => planLayer(draft, request, overrides.get(draft.node.name), graph, activations));
  if (format === 'qoperator' && [...activations.values()].some(({ type }) => isWide(type))) {
    throw new QuantscopeError('plan-impossible', 'The qoperator format knows no 16-bit activations.', {
      hint: 'Use `format: qdq`.',
    });
  }
  return { mode, format, layers, shapeComputations: shapeNodes.size, activations };
}

interface Decisions {
  readonly drafts: readonly LayerDraft[];
  readonly activations: ReadonlyMap<string, ActivationPlan>;
}

/**
 * Decides with everything folded that may be, and again without where no quantizer came to cut what
 * the Relu or Clip would have: the output stays in float, or symmetric integers go below 0.
 */
function decide(
  { tensors, backend, recipe, concessions = new Map() }: PlanRequest,
  graph: Graph,
  mode: Mode,
  overrides: ReadonlyMap<string, NodeOverride>,
  shapeNodes: ReadonlySet<NodeProto>,
): Decisions {
  const unfoldable = new Set<NodeProto>();
  for (;;) {
    const drafts = draftLayers({ graph, tensors, backend, mode, overrides, unfoldable, concessions, shapeNodes });
    settleIslands(drafts, graph);
    const activations = planActivations({ drafts, graph, backend, recipe, overrides });
    const cuts = (tensor: string): boolean => activations.get(tensor)?.symmetric === false;
    const wrong = drafts.filter((draft) => isFolded(draft) && !layerOutputs(draft).every(cuts));
    if (wrong.length === 0) return { drafts, activations };
    for (const { node } of wrong) unfoldable.add(node);
  }
}

/** DequantizeLinear takes a channel axis since 13; DynamicQuantizeLinear came with 11. */
const MODE_OPSET = { static: 13, dynamic: 11, 'weight-only': 13 } as const;
/** QuantizeLinear takes 16 bits since 21. */
const WIDE_OPSET = 21;

/** Lowest opset that can express what a recipe asks for. */
export function requiredOpset(recipe: Recipe): number {
  const { layers = [] } = recipe;
  const types = [recipe, ...layers].map(({ activations }) => activationOverride(activations).type);
  const modes = [onnxMode(recipe), ...layers.flatMap(({ mode = [] }) => mode)];
  return types.some(isWide) ? WIDE_OPSET : Math.max(...modes.map((mode) => MODE_OPSET[mode]));
}

function isWide(type: string | undefined): boolean {
  return type?.endsWith('16') === true;
}

function planLayer(
  draft: LayerDraft,
  request: PlanRequest,
  override: NodeOverride | undefined,
  graph: Graph,
  activations: ReadonlyMap<string, ActivationPlan>,
): PlannedLayer {
  const { node, rule, fused, bias, quantize, reason, mode } = draft;
  const readsIntegers = draft.activations.some((name) => activations.has(name));
  const plan = (input: number | undefined): WeightPlan | null =>
    quantize && rule !== undefined && input !== undefined
      ? planWeight({ node, rule, input, mode, readsIntegers }, request, override, graph)
      : null;
  return {
    name: node.name,
    op: node.opType,
    kind: rule?.kind ?? 'none',
    node,
    fused,
    quantize,
    reason,
    mode,
    inputs: isStatic(draft) ? draft.activations.filter((name) => activations.has(name)) : [],
    outputs: layerOutputs(draft),
    weight: plan(rule?.weight?.input),
    recurrence: plan(rule?.recurrence),
    bias: quantize && bias !== '' ? bias : null,
    apart: isStatic(draft) && request.backend.runsHere ? cutsBehind(draft, graph, activations) : [],
  };
}

/** Relu and Clip that read what a layer writes in float. */
function cutsBehind(
  draft: LayerDraft,
  graph: Graph,
  activations: ReadonlyMap<string, ActivationPlan>,
): readonly NodeProto[] {
  if (draft.rule?.kind !== 'compute') return [];
  const floats = layerOutputs(draft).filter((name) => !activations.has(name));
  const readers = floats.flatMap((name) => graph.uses(name).map(({ node }) => node));
  return readers.filter((node) => ['Relu', 'Clip'].includes(opKey(node)));
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

interface Weighted {
  readonly node: NodeProto;
  readonly rule: OpRule;
  /** Which of its inputs the weight is. */
  readonly input: number;
  readonly mode: Mode;
  /** Whether what it multiplies by the weight was integers before. */
  readonly readsIntegers: boolean;
}

function planWeight(
  layer: Weighted,
  { backend, recipe, saturates }: PlanRequest,
  override: NodeOverride | undefined,
  graph: Graph,
): WeightPlan | null {
  const { node, rule, input } = layer;
  const { weight } = rule;
  const tensor = node.input[input];
  if (weight === undefined || tensor === undefined) return null;
  const base = weightOverride(recipe.weights);
  const own = weightOverride(override?.weights);
  const type = own.type ?? base.type ?? backend.weights.type;
  const symmetric = own.symmetric ?? base.symmetric ?? backend.weights.symmetric;
  const granularity = own.granularity ?? base.granularity ?? backend.weights.granularity;
  const dims = graph.constant(tensor)?.dims ?? [];
  // The int8 LSTM takes one zero point for all channels.
  const needsOne = rule.recurrence !== undefined && !symmetric && layer.mode === 'dynamic';
  const perTensor = granularity === 'per-tensor' || rule.perTensorWeight === true || needsOne || isStack(layer, dims);
  const endangered = saturates && needsGuard(backend, layer) && type === 'int8' && !isDepthwise(node, dims);
  // The guard of pairs counts on zero points of 0; seven bits are safe with any.
  const reduceRange = own.reduceRange ?? base.reduceRange ?? (endangered && !symmetric);
  const axis = perTensor ? null : channelAxis(weight.axis, node, dims.length);
  const full = type === backend.weights.type ? backend.weights : WEIGHT_RANGES[type];
  const { qmin, qmax } = reduceRange ? REDUCED[type] : full;
  const saturation = endangered && symmetric && !reduceRange ? 'pairs' : 'none';
  return { tensor, input, type, symmetric, qmin, qmax, axis, saturation };
}

/**
 * PyTorch's backends answer saturation by their own activation ranges, which activations quantized
 * at run time do not have. Weight-only computes in float, but where integers come in, the runtime may
 * make an integer product of it, which is the same without saturation.
 */
function needsGuard(backend: Backend, { rule, mode, readsIntegers }: Weighted): boolean {
  if (mode === 'dynamic') return backend.runsHere;
  return backend.id === 'ort-cpu' && (mode === 'static' || (readsIntegers && rule.recurrence === undefined));
}

/** Of a weight of this rank; `null` where it has none. */
export function channelAxis(axis: number | 'gemm' | 'last' | null, node: NodeProto, rank: number): number | null {
  if (axis === 'gemm') return intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
  if (axis === 'last') return rank >= 2 ? rank - 1 : null;
  return axis;
}

/**
 * Several matrices: onnxruntime's products of integers take one scale a column of a single matrix, or one for all
 * (matmul_integer_base.h, IsBQuantParamSupported). Dynamic layers multiply by the scales afterwards.
 */
function isStack({ node, mode }: Weighted, dims: readonly number[]): boolean {
  return mode === 'static' && node.opType === 'MatMul' && dims.length > 2;
}

/**
 * One input and one output channel a group: onnxruntime runs these by a kernel that widens to 16 bits
 * first, which cannot saturate (MLAS, MlasConvDepthwise).
 */
function isDepthwise(node: NodeProto, [outputs, inputs]: readonly number[]): boolean {
  const groups = intAttribute(node, 'group', 1);
  return node.opType === 'Conv' && groups > 1 && inputs === 1 && outputs === groups;
}
