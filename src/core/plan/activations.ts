/** Second half of the plan: which tensors become integers, how, and which of them share a scale. */

import type { ActivationType, Recipe } from '../../shared/recipe';
import { activationOverride } from '../../shared/recipe';
import type { Backend } from '../backends/types';
import type { Graph } from '../onnx/graph';
import { DEFAULT_PERCENTILE } from '../calibrate/observers';
import { clipBounds } from './conditions';
import { layerOutputs, type LayerDraft } from './layers';
import type { NodeOverride } from '../../shared/selectors';
import { isStatic, type ActivationPlan } from './types';

const RANGES: Readonly<Record<ActivationType, { qmin: number; qmax: number }>> = {
  uint8: { qmin: 0, qmax: 255 },
  int8: { qmin: -128, qmax: 127 },
  uint16: { qmin: 0, qmax: 65535 },
  int16: { qmin: -32768, qmax: 32767 },
};

export interface ActivationInput {
  readonly drafts: readonly LayerDraft[];
  readonly graph: Graph;
  readonly backend: Backend;
  readonly recipe: Recipe;
  readonly overrides: ReadonlyMap<string, NodeOverride>;
}

export function planActivations(input: ActivationInput): Map<string, ActivationPlan> {
  const { drafts, graph } = input;
  const quantized = drafts.filter(isStatic);
  const readAsIntegers = new Set(quantized.flatMap((draft) => draft.activations));
  const tensors = new Map<string, LayerDraft[]>();
  const touch = (name: string, draft: LayerDraft): void => {
    const list = tensors.get(name);
    if (list === undefined) tensors.set(name, [draft]);
    else list.push(draft);
  };
  for (const draft of quantized) {
    for (const name of draft.activations) touch(name, draft);
    for (const name of layerOutputs(draft)) {
      if (readAsIntegers.has(name) || draft.rule?.integerOutput === true) touch(name, draft);
    }
  }
  const groups = shareScales(quantized, tensors, graph);
  const fixed = new Map(
    quantized.flatMap(({ rule, ...draft }) =>
      rule?.outputRange === undefined
        ? []
        : layerOutputs({ rule, ...draft }).map((name) => [name, rule.outputRange] as const),
    ),
  );
  const sizes = new Map<string, number>();
  for (const tensor of tensors.keys()) sizes.set(groups(tensor), (sizes.get(groups(tensor)) ?? 0) + 1);
  const plans = new Map<string, ActivationPlan>();
  for (const [tensor, drafted] of tensors) {
    const settings = settingsOf(tensor, drafted, input);
    const group = groups(tensor);
    const range = sizes.get(group) === 1 ? fixed.get(tensor) : undefined;
    plans.set(tensor, { tensor, group, ...settings, ...(range === undefined ? {} : { fixedRange: range }) });
  }
  return widenGroups(plans);
}

type Settings = Omit<ActivationPlan, 'tensor' | 'group' | 'fixedRange'>;

/**
 * The backend's choice, then the recipe's, then the overrides of the layers that touch the tensor:
 * a type counts for what a layer reads and writes, an observer for what it writes.
 */
function settingsOf(
  tensor: string,
  drafts: readonly LayerDraft[],
  { backend, recipe, overrides }: ActivationInput,
): Settings {
  const base = activationOverride(recipe.activations);
  let type = base.type ?? backend.activations.type;
  let symmetric = base.symmetric ?? backend.activations.symmetric;
  let observer = recipe.calibration?.observer ?? backend.observer;
  let percentile = recipe.calibration?.percentile ?? DEFAULT_PERCENTILE;
  for (const draft of drafts) {
    const override = overrides.get(draft.node.name);
    const activation = activationOverride(override?.activations);
    type = activation.type ?? type;
    symmetric = activation.symmetric ?? symmetric;
    if (layerOutputs(draft).includes(tensor)) {
      observer = override?.observer ?? observer;
      percentile = override?.percentile ?? percentile;
    }
  }
  const { qmin, qmax } = type === backend.activations.type ? backend.activations : RANGES[type];
  return { type, symmetric, qmin, qmax, observer, percentile };
}

/**
 * Tensors that must or should share scale and zero point: a moving operator's input and output,
 * and the inputs of a Concat with its output, for what only the Concat reads ends in its scale
 * anyway and is so rounded once instead of twice. An input that a folded Relu or Clip cuts shorter
 * than others keeps a scale of its own, because the quantizer has to do the cutting.
 */
function shareScales(
  quantized: readonly LayerDraft[],
  tensors: ReadonlyMap<string, unknown>,
  graph: Graph,
): (tensor: string) => string {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    let root = name;
    for (let next = parent.get(root); next !== undefined; next = parent.get(root)) root = next;
    return root;
  };
  const union = (a: string, b: string): void => {
    const [from, to] = [find(b), find(a)];
    if (from !== to) parent.set(from, to);
  };
  const bounds = outputBounds(quantized, graph);
  for (const draft of quantized) {
    const outputs = layerOutputs(draft).filter((name) => tensors.has(name));
    const [first] = draft.activations;
    if (draft.rule?.kind === 'move' && first !== undefined) for (const name of outputs) union(first, name);
    if (draft.node.opType === 'Concat' && draft.fused.length === 0) {
      const whole = hull(draft.activations.map((name) => bounds.get(name) ?? UNBOUNDED));
      for (const name of draft.activations) {
        const { low, high } = bounds.get(name) ?? UNBOUNDED;
        const joins = low === whole.low && high === whole.high && graph.soleConsumer(name) === draft.node;
        if (joins) for (const output of outputs) union(output, name);
      }
    }
  }
  return find;
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}

const UNBOUNDED: Bounds = { low: -Infinity, high: Infinity };

/** Where folded activations cut the outputs of int8 layers, followed through operators that only move values. */
function outputBounds(quantized: readonly LayerDraft[], graph: Graph): Map<string, Bounds> {
  const bounds = new Map<string, Bounds>();
  for (const draft of quantized) {
    const moves = draft.rule?.kind === 'move' || draft.node.opType === 'Concat';
    let { low, high } = moves ? hull(draft.activations.map((name) => bounds.get(name) ?? UNBOUNDED)) : UNBOUNDED;
    for (const node of draft.fused) {
      const [from, to] = node.opType === 'Clip' ? clipBounds(node, graph) : [node.opType === 'Relu' ? 0 : undefined];
      low = Math.max(low, from ?? -Infinity);
      high = Math.min(high, to ?? Infinity);
    }
    for (const name of layerOutputs(draft)) bounds.set(name, { low, high });
  }
  return bounds;
}

function hull(bounds: readonly Bounds[]): Bounds {
  return { low: Math.min(...bounds.map(({ low }) => low)), high: Math.max(...bounds.map(({ high }) => high)) };
}

/** Within a group one type must hold; the widest does. */
function widenGroups(plans: Map<string, ActivationPlan>): Map<string, ActivationPlan> {
  const widest = new Map<string, ActivationPlan>();
  for (const plan of plans.values()) {
    const known = widest.get(plan.group);
    if (known === undefined || plan.qmax - plan.qmin > known.qmax - known.qmin) widest.set(plan.group, plan);
  }
  for (const [tensor, plan] of plans) {
    const { type, symmetric, qmin, qmax } = widest.get(plan.group) ?? plan;
    plans.set(tensor, { ...plan, type, symmetric, qmin, qmax });
  }
  return plans;
}
