/** First half of the plan: which layers there are, and which of them run in int8. */

import type { ReasonCode } from '../../shared/reasons';
import { WEIGHT_MODE_OPS } from '../../shared/modes';
import type { Mode } from '../../shared/recipe';
import type { Backend, Condition, OpRule } from '../backends/types';
import { subgraphs } from '../onnx/attributes';
import { Dependence } from '../onnx/dependence';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, outputOf, type Graph } from '../onnx/graph';
import { canonicalDomain } from '../onnx/model';
import { isNoOp } from '../onnx/noOp';
import type { TensorInfo } from '../runtime/session';
import { RECURRENT_OPS } from '../backends/ops';
import { clipBounds, CONDITIONS, isRow } from './conditions';
import type { NodeOverride } from '../../shared/selectors';
import { isStatic, type Concessions } from './types';

export interface PlanInput {
  readonly graph: Graph;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly backend: Backend;
  /** Of layers without one of their own. */
  readonly mode: Mode;
  readonly overrides: ReadonlyMap<string, NodeOverride>;
  /** Nodes behind which no Relu or Clip may be folded. */
  readonly unfoldable: ReadonlySet<NodeProto>;
  readonly concessions: Concessions;
  /** Nodes that are no layers: see {@link shapeComputations}. */
  readonly shapeNodes: ReadonlySet<NodeProto>;
}

/** A layer while its decision is still open. */
export interface LayerDraft {
  readonly node: NodeProto;
  readonly rule: OpRule | undefined;
  readonly fused: NodeProto[];
  /** Activation inputs, constants among them. */
  readonly activations: readonly string[];
  /** The constant that a MatMul's fused Add adds, or the node's own bias; '' for none. */
  bias: string;
  quantize: boolean;
  reason: ReasonCode | null;
  readonly mode: Mode;
}

const NOT_QUANTIZABLE: OpRule = { kind: 'none' };

/** Conditions that are about int32 biases, which dynamic layers add in float, or about int8 products. */
const MODE_WAIVES: Readonly<Record<Mode, readonly Condition[]>> = {
  static: [],
  dynamic: ['constant-bias'],
  'weight-only': ['constant-bias', 'gemm-plain'],
};

/** Nodes that compute with shapes and constants alone, whatever data is fed. They are no part of what is quantized. */
export function shapeComputations(graph: Graph): ReadonlySet<NodeProto> {
  const dependence = new Dependence(graph);
  const follows = (name: string): boolean => name === '' || dependence.origin(name) !== 'data';
  return new Set(graph.nodes.filter((node) => !isConstantNode(node) && node.output.every(follows)));
}

/** Every node but constants, in graph order, with the activations behind them that an int8 kernel includes. */
export function draftLayers(input: PlanInput): LayerDraft[] {
  const swallowed = new Set<NodeProto>();
  const drafts: LayerDraft[] = [];
  for (const node of input.graph.nodes) {
    if (swallowed.has(node) || isConstantNode(node) || input.shapeNodes.has(node)) continue;
    const mode = input.overrides.get(node.name)?.mode ?? input.mode;
    const rule = ruleOf(node, mode, input);
    const activations = activationInputs(node, rule);
    const reason = reasonAgainst(node, rule, mode, activations, input);
    const bias = rule?.bias === undefined ? '' : (node.input[rule.bias] ?? '');
    const draft: LayerDraft = { node, rule, fused: [], activations, bias, quantize: reason === null, reason, mode };
    if (draft.quantize) fuseFollowers(draft, input);
    for (const node of draft.fused) swallowed.add(node);
    drafts.push(draft);
  }
  return drafts;
}

function fuseFollowers(draft: LayerDraft, input: PlanInput): void {
  const { node, rule, fused, mode } = draft;
  const added = mode === 'weight-only' ? undefined : biasAfter(node, input);
  if (added !== undefined) {
    fused.push(added.add);
    draft.bias = added.bias;
  }
  if (mode !== 'static' || rule?.kind === 'move' || input.unfoldable.has(node)) return;
  for (let next = foldableAfter(fused.at(-1) ?? node, input); next !== undefined; next = foldableAfter(next, input)) {
    fused.push(next);
  }
}

/**
 * The Add of one constant a column behind a product with a constant matrix, where the runtime makes one Gemm of the two
 * before it looks for int8 kernels. Of another rank than 2 it does so where it knows the whole shape, with a Reshape
 * before and after, and a vector is added (onnxruntime/core/optimizer/matmul_add_fusion.cc). It knows more shapes than
 * its inference tells, those behind what it folds; that it made a Gemm is then found afterwards, and conceded.
 */
function biasAfter(
  node: NodeProto,
  { graph, tensors, backend, overrides, concessions }: PlanInput,
): { add: NodeProto; bias: string } | undefined {
  if (node.opType !== 'MatMul' || !Object.hasOwn(backend.ops, 'Gemm')) return undefined;
  const shape = tensors.get(outputOf(node))?.shape ?? [];
  const add = graph.soleConsumer(outputOf(node));
  if (graph.constant(node.input[1] ?? '')?.dims.length !== 2) return undefined;
  if (add?.opType !== 'Add' || canonicalDomain(add.domain) !== '') return undefined;
  if (overrides.get(add.name)?.quantize === false) return undefined;
  const bias = add.input.find((name) => name !== outputOf(node)) ?? '';
  const dims = graph.constant(bias)?.dims ?? [];
  const isKnown =
    (shape.length > 0 && shape.every((dim) => typeof dim === 'number' && dim > 0)) ||
    concessions.get(node.name) === 'bias';
  const columns = graph.constant(node.input[1] ?? '')?.dims[1];
  const isBias = isRow(dims, columns) && (shape.length === 2 ? dims.length <= 2 : isKnown && dims.length === 1);
  return isBias ? { add, bias } : undefined;
}

/** The Add of a bias among what a layer fuses; no other Add is ever fused. */
export function biasAddOf({ fused }: { readonly fused: readonly NodeProto[] }): NodeProto | undefined {
  return fused.find(({ opType }) => opType === 'Add');
}

function ruleOf(node: NodeProto, mode: Mode, { backend }: PlanInput): OpRule | undefined {
  const key = opKey(node);
  if (mode !== 'static' && !WEIGHT_MODE_OPS[mode].includes(key)) return undefined;
  if (mode !== 'static' && backend.runsHere && Object.hasOwn(RECURRENT_OPS, key)) return RECURRENT_OPS[key];
  return Object.hasOwn(backend.ops, key) ? backend.ops[key] : undefined;
}

/** Why a mode has no rule for an operator, where another mode may have one. */
function unknownTo(mode: Mode, node: NodeProto, { backend }: PlanInput): ReasonCode {
  if (backend.runsHere && Object.hasOwn(RECURRENT_OPS, opKey(node))) {
    return WEIGHT_MODE_OPS.dynamic.includes(opKey(node)) ? 'needs-dynamic' : 'weight-only-at-most';
  }
  return mode === 'static' ? backend.otherwise : 'mode-skips-op';
}

export function isConstantNode(node: NodeProto): boolean {
  return node.opType === 'Constant' && canonicalDomain(node.domain) === '';
}

function activationInputs(node: NodeProto, rule: OpRule = NOT_QUANTIZABLE): string[] {
  const positions = rule.activations === 'all' ? node.input.keys() : (rule.activations ?? [0]);
  return [...positions].flatMap((index) => {
    const name = node.input[index];
    return name === undefined || name === '' ? [] : [name];
  });
}

/** Why a node cannot be quantized whatever its neighbours do; `null` where it can. */
function reasonAgainst(
  node: NodeProto,
  rule: OpRule | undefined,
  mode: Mode,
  activations: readonly string[],
  input: PlanInput,
): ReasonCode | null {
  const { graph, tensors, backend, overrides, concessions } = input;
  if (overrides.get(node.name)?.quantize === false) return 'excluded';
  const conceded = concessions.get(node.name);
  if (conceded !== undefined && conceded !== 'bias') return conceded;
  if (subgraphs(node).length > 0) return 'in-subgraph';
  const typeOf = (name: string): string | undefined => tensors.get(name)?.type ?? graph.constant(name)?.type;
  // Optional outputs that are left out have the name ''.
  const type = tensors.get(node.output.find((name) => name !== '') ?? '')?.type;
  if (type === undefined) return 'type-unknown';
  if (type !== 'float32')
    return ['Shape', 'Size', 'NonZero', 'ConstantOfShape', 'Range'].includes(node.opType)
      ? 'shape-computation'
      : 'not-float';
  if (canonicalDomain(node.domain) !== '') return 'custom-domain';
  if (node.opType === 'BatchNormalization') return 'batchnorm-unfolded';
  if (isNoOp(graph, node)) return 'no-op';
  if (backend.keepFloat.includes(node.opType)) return 'op-keeps-float';
  if (rule === undefined) return unknownTo(mode, node, input);
  if (activations.length === 0 || activations.some((name) => typeOf(name) !== 'float32')) return 'not-float';
  for (const condition of rule.conditions ?? []) {
    if (MODE_WAIVES[mode].includes(condition)) continue;
    const check = CONDITIONS[condition];
    if (!check.holds({ node, rule, graph, tensors })) return check.reason;
  }
  return null;
}

/**
 * The Relu or Clip that only cuts what the quantizer cuts as well: asymmetric integers end where
 * the range ends, provided that 0 lies in it.
 */
function foldableAfter(node: NodeProto, { graph, backend, overrides }: PlanInput): NodeProto | undefined {
  if (node.output.length !== 1) return undefined;
  const next = graph.soleConsumer(outputOf(node));
  if (next === undefined || canonicalDomain(next.domain) !== '' || !backend.foldable.includes(next.opType))
    return undefined;
  if (next.input[0] !== outputOf(node) || overrides.get(next.name)?.quantize === false) return undefined;
  if (next.opType !== 'Clip') return next;
  if (!spansType(backend)) return undefined;
  const [low, high] = clipBounds(next, graph);
  return low !== undefined && high !== undefined && low <= 0 && high >= 0 ? next : undefined;
}

/** QuantizeLinear cuts at the ends of the type: a reduced range leaves room above, where a Clip would have cut. */
function spansType({ activations: { qmin, qmax } }: Backend): boolean {
  return qmax - qmin === 255;
}

/** Whether a layer has swallowed a Relu or Clip, which then is up to its output's quantizer. */
export function isFolded(draft: LayerDraft): boolean {
  return draft.fused.some((node) => node !== biasAddOf(draft));
}

/** Output tensors of a layer, after what is fused. */
export function layerOutputs(draft: LayerDraft): string[] {
  const last = draft.fused.at(-1) ?? draft.node;
  return last.output.filter((name) => name !== '');
}

/**
 * Keeps cheap and moving operators in int8 only between int8 neighbours: all their activations come
 * out of int8 layers and somebody reads integers from them. Starts from "everything that can" and
 * takes away until nothing changes, so chains of such operators stand or fall together.
 */
export function settleIslands(drafts: readonly LayerDraft[], graph: Graph): void {
  const producers = new Map(drafts.flatMap((draft) => layerOutputs(draft).map((name) => [name, draft] as const)));
  const owner = new Map(drafts.flatMap((draft) => [draft.node, ...draft.fused].map((node) => [node, draft] as const)));
  const readsIntegers = (reader: NodeProto, tensor: string): boolean => {
    const draft = owner.get(reader);
    return draft !== undefined && isStatic(draft) && draft.node === reader && draft.activations.includes(tensor);
  };
  const neighbours = (draft: LayerDraft): (LayerDraft | undefined)[] => [
    ...draft.activations.map((name) => producers.get(name)),
    ...layerOutputs(draft).flatMap((name) => graph.uses(name).map(({ node }) => owner.get(node))),
  ];
  const isOpen = (draft: LayerDraft): boolean =>
    draft.quantize && (draft.rule?.kind === 'cheap' || draft.rule?.kind === 'move');
  // Only the neighbours of what was taken away can fall next; a loop over a set comes to what it adds meanwhile.
  const waiting = new Set(drafts.filter(isOpen));
  for (const draft of waiting) {
    waiting.delete(draft);
    const fed = draft.activations.every((name) => {
      const producer = producers.get(name);
      return graph.isConstant(name) || (producer !== undefined && isStatic(producer));
    });
    const read = layerOutputs(draft).some((name) => graph.uses(name).some(({ node }) => readsIntegers(node, name)));
    if (fed && read) continue;
    draft.quantize = false;
    draft.reason = draft.rule?.kind === 'move' ? 'data-movement' : 'float-island';
    for (const other of neighbours(draft)) if (other !== undefined && isOpen(other)) waiting.add(other);
  }
}
