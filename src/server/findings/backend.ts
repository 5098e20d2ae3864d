/** What a recipe asks for that its backend, mode, format or opset cannot do. */

import { BACKENDS } from '../../core/backends/backends';
import type { Backend } from '../../core/backends/types';
import { requiredOpset } from '../../core/plan/plan';
import { WEIGHT_MODE_OPS } from '../../shared/modes';
import {
  activationOverride,
  weightOverride,
  type BackendId,
  type LayerOverride,
  type Recipe,
} from '../../shared/recipe';
import type { Analysis, Entry } from '../analysis';
import { keySpan, spanAt, type Span } from '../recipeText';
import { quoted, type Finding } from './finding';

/**
 * Targets with kernels for activations of 16 bits: onnxruntime's documentation of the QNN execution provider lists
 * QUInt16 for its HTP. The others of our tables calculate in eight bits only.
 */
const WIDE_KERNELS: ReadonlySet<BackendId> = new Set(['qnn']);

/** Targets that insist on zero points of 0 (TensorRT developer guide, explicit quantization). */
const ZERO_POINT_0: ReadonlySet<BackendId> = new Set(['tensorrt']);

export function backendFindings(analysis: Analysis): Finding[] {
  const { recipe } = analysis;
  const onnx = recipe.framework !== 'torch';
  const backend = BACKENDS[recipe.backend ?? (onnx ? 'ort-cpu' : 'fbgemm')];
  const whole = wholeOf(recipe);
  return [
    ...(onnx ? [...opsetFindings(analysis), ...formatFindings(analysis)] : []),
    ...typeFindings(analysis, whole, backend, ['activations'], ['weights']),
    ...analysis.entries.flatMap((entry) => {
      if (entry.override === undefined || entry.override.quantize === false) return [];
      const base = ['layers', entry.index];
      return [
        ...typeFindings(analysis, entry.override, backend, [...base, 'activations'], [...base, 'weights']),
        ...(onnx ? [...weightlessFindings(analysis, entry, backend), ...modeFindings(analysis, entry)] : []),
      ];
    }),
    ...unusedFindings(analysis, backend),
  ];
}

type Types = Pick<LayerOverride, 'activations' | 'weights'>;

function wholeOf({ activations, weights }: Partial<Recipe>): Types {
  return { activations, weights };
}

function isWide(type: string | undefined): boolean {
  return type?.endsWith('16') === true;
}

/** Where a key of a short or long form stands. */
function typeSpan(analysis: Analysis, path: readonly PropertyKey[], value: unknown, key: string): Span {
  return spanAt(analysis, typeof value === 'string' ? path : [...path, key]);
}

function typeFindings(
  analysis: Analysis,
  types: Types,
  backend: Backend,
  activationPath: readonly PropertyKey[],
  weightPath: readonly PropertyKey[],
): Finding[] {
  const found: Finding[] = [];
  const contradicts = (span: Span, message: string): void =>
    void found.push({ code: 'backend-contradiction', span, message });
  const activation = activationOverride(types.activations);
  const weight = weightOverride(types.weights);
  if (isWide(activation.type) && !WIDE_KERNELS.has(backend.id) && analysis.recipe.mode !== 'dynamic') {
    const span = typeSpan(analysis, activationPath, types.activations, 'type');
    contradicts(
      span,
      `${backend.title} has no kernels for activations of 16 bits: what reads or writes them runs in float.`,
    );
  }
  if (activation.symmetric === false && ZERO_POINT_0.has(backend.id)) {
    contradicts(spanAt(analysis, [...activationPath, 'symmetric']), `${backend.title} takes zero points of 0 only.`);
  }
  if (weight.symmetric === false && ZERO_POINT_0.has(backend.id)) {
    contradicts(spanAt(analysis, [...weightPath, 'symmetric']), `${backend.title} takes zero points of 0 only.`);
  }
  if (weight.granularity === 'per-channel' && backend.weights.granularity === 'per-tensor') {
    const span = spanAt(analysis, [...weightPath, 'granularity']);
    contradicts(span, `${backend.title} quantizes weights per tensor (${backend.source.replace(/\.$/, '')}).`);
  }
  return found;
}

/** Weights of layers that have none, or whose kernel knows only one scale. */
function weightlessFindings(
  analysis: Analysis,
  { override, matches, index, select }: Entry,
  { ops, title, weights }: Backend,
): Finding[] {
  if (override?.weights === undefined || matches === undefined || matches.length === 0) return [];
  const rules = matches.map(({ op }) => (Object.hasOwn(ops, op) ? ops[op] : undefined));
  if (rules.every((rule) => rule?.weight === undefined)) {
    const message = `What ${quoted(select)} matches has no weights that ${title} quantizes.`;
    return [{ code: 'setting-unused', span: keySpan(analysis, ['layers', index], 'weights'), message }];
  }
  const perTensor = rules.every((rule) => rule?.weight === undefined || rule.perTensorWeight === true);
  // A backend without any scales per channel is told of by `typeFindings`.
  if (weights.granularity === 'per-tensor' || !perTensor) return [];
  if (weightOverride(override.weights).granularity !== 'per-channel') return [];
  const message = `${title} keeps these weights per tensor.`;
  return [
    { code: 'backend-contradiction', span: spanAt(analysis, ['layers', index, 'weights', 'granularity']), message },
  ];
}

/** A mode that quantizes none of the layers it is set for. */
function modeFindings(analysis: Analysis, { override, matches, index, select }: Entry): Finding[] {
  const mode = override?.mode;
  if (mode === undefined || mode === 'static' || matches === undefined || matches.length === 0) return [];
  const ops: readonly string[] = WEIGHT_MODE_OPS[mode];
  if (matches.some(({ op }) => ops.includes(op))) return [];
  const message = `\`mode: ${mode}\` quantizes ${ops.join(', ')}; what ${quoted(select)} matches stays in float.`;
  return [{ code: 'setting-unused', span: keySpan(analysis, ['layers', index], 'mode'), message }];
}

function formatFindings(analysis: Analysis): Finding[] {
  const { recipe, entries } = analysis;
  const wide = [recipe.activations, ...entries.map(({ override }) => override?.activations)];
  if (recipe.format !== 'qoperator' || !wide.some((value) => isWide(activationOverride(value).type))) return [];
  const span = spanAt(analysis, ['format']);
  const message = 'The qoperator format knows no activations of 16 bits; use `format: qdq`.';
  const edits = [{ ...span, text: 'qdq' }];
  return [{ code: 'plan-impossible', span, message, repairs: [{ title: 'Use the qdq format', edits }] }];
}

function opsetFindings(analysis: Analysis): Finding[] {
  const { recipe, facts } = analysis;
  const opset = recipe.normalize?.opset ?? 'auto';
  if (opset === 'auto' || recipe.model === undefined) return [];
  const required = requiredOpset({ ...recipe, model: recipe.model });
  const reached = opset === 'keep' ? facts.model?.opset : opset;
  if (reached === undefined || reached >= required) return [];
  const what = opset === 'keep' ? `the model has ${reached}, and \`keep\` leaves it so` : `${reached} is not enough`;
  return [
    {
      code: 'opset-too-old',
      span: spanAt(analysis, ['normalize', 'opset']),
      message: `The quantized form needs opset ${required}; ${what}.`,
      repairs: [{ title: 'Raise the opset where needed', change: { kind: 'opset', opset: 'auto' } }],
    },
  ];
}

/** Keys that another choice leaves without effect. */
function unusedFindings(analysis: Analysis, backend: Backend): Finding[] {
  const { recipe } = analysis;
  const mode = recipe.mode ?? 'static';
  const found: Finding[] = [];
  const unused = (path: readonly PropertyKey[], key: string, why: string): void =>
    void found.push({
      code: 'setting-unused',
      span: keySpan(analysis, path, key),
      message: `\`${key}\` has no effect: ${why}.`,
    });
  if (recipe.framework !== 'torch' && recipe.isa !== undefined && recipe.isa !== 'auto' && backend.id !== 'ort-cpu')
    unused([], 'isa', `it is for the backend ort-cpu, and this is ${backend.id}`);
  const measured = (own: string): boolean => own !== 'dynamic' && own !== 'weight-only';
  const measures = [mode, ...analysis.entries.flatMap(({ override }) => override?.mode ?? [])].some(measured);
  if (recipe.activations !== undefined && !measures)
    unused([], 'activations', `mode ${mode} quantizes no activations beforehand`);
  const { calibration } = recipe;
  if (calibration?.observer !== undefined && !measures)
    unused(['calibration'], 'observer', `mode ${mode} measures no ranges beforehand`);
  const observer = calibration?.observer ?? backend.observer;
  const layered = analysis.entries.some(({ override }) => override?.observer === 'percentile');
  if (calibration?.percentile !== undefined && observer !== 'percentile' && !layered)
    unused(['calibration'], 'percentile', `the observer is ${observer}`);
  if (calibration?.seed !== undefined && calibration.data !== 'synthetic')
    unused(['calibration'], 'seed', 'it is for synthetic data');
  for (const { index, override } of analysis.entries) {
    const own = override?.mode ?? mode;
    for (const key of ['activations', 'observer'] as const) {
      if (override?.[key] === undefined || measured(own)) continue;
      unused(['layers', index], key, `mode ${own} measures no ranges beforehand`);
    }
    if (override?.percentile === undefined || (override.observer ?? observer) === 'percentile') continue;
    unused(['layers', index], 'percentile', `the observer is ${override.observer ?? observer}`);
  }
  return found;
}
