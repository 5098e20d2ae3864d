/**
 * What to do about a layer, told from one report alone: nothing is tried, so a detail says what is known and
 * no more.
 */

import type { Fix, FixKind, RecipeChange, Suggestion } from './fixes';
import { plural } from './format';
import { neededMode, otherModeOf } from './modes';
import type { BackendId, LayerOverride } from './recipe';
import { PERCENTILES, weightOverride, type ObserverId } from './recipeValues';
import type { LayerReport, Report, TensorReport } from './report';
import { comparedOf, sqnrOf } from './measured';

/**
 * Fixes for a layer of a report, the one to try first first; empty where there is nothing to do. Exactly one
 * of them is preferred. Whether a quantized layer is bad enough to need one is for the caller to decide.
 */
export function suggestFixes(report: Report, layer: string): readonly Fix[] {
  const found = report.layers.find(({ name }) => name === layer);
  if (found === undefined) return [];
  return ranked(found.status === 'quantized' ? fixesOfError(report, found) : fixesOfReason(report, found));
}

/** Fixes of the whole model, the one to try first first; empty where there is nothing to do. */
export function suggestRecipeFixes(report: Report): readonly Fix[] {
  const perTensor = report.layers.filter((layer) => isPerTensor(layer) && mayBePerChannel(report, layer));
  const tooOld = report.layers.filter(({ reason }) => reason === 'opset-too-old');
  return ranked([
    ...(tooOld.length > 0 ? raiseOpset(report, tooOld) : []),
    ...(perTensor.length > 0 ? [weightsPerChannel(perTensor)] : []),
    ...biasCorrection(report),
    ...moreLevels(report),
    ...(report.calibration === null ? [] : observerFixes(report, report.calibration.observer)),
  ]);
}

function ranked(fixes: readonly Suggestion[]): Fix[] {
  return fixes.map((fix, index) => ({ ...fix, preferred: index === 0 }));
}

function override(kind: FixKind, title: string, detail: string, entry: LayerOverride): Suggestion {
  return { kind, title, detail, change: { kind: 'override', override: entry } };
}

// --- A quantized layer with an error --------------------------------------------------------------------------------

/** Above this share of the multiply-adds a layer is too dear to give up before anything else was tried. */
const DEAR = 0.25;
/** A kernel that clips a larger share of its sums than this has an error from it. */
const SATURATED = 1e-3;

function fixesOfError(report: Report, layer: LayerReport): Suggestion[] {
  if (layer.local === null) return [];
  const cheap = macsShare(report, [layer]) <= DEAR;
  const exclude = excludeLayer(report, layer, because(layer));
  const wide = activations16(report, layer);
  const hasKernel = report.target?.activations16 === 'kernel';
  return [
    ...twinOf(report, layer),
    ...(isPerTensor(layer) && mayBePerChannel(report, layer) ? [layerPerChannel(layer)] : []),
    ...((layer.saturation ?? 0) > SATURATED ? [reduceRange(layer)] : []),
    ...(hasKernel ? wide : []),
    ...otherModeOf(report, layer, because(layer)),
    ...(cheap ? [exclude] : []),
    ...rangeFixes(report, layer),
    ...(cheap ? [] : [exclude]),
    ...(hasKernel ? [] : wide),
    ...excludeAlike(report, layer),
    ...moreLevels(report),
  ];
}

function excludeLayer(report: Report, layer: LayerReport, why: string): Suggestion {
  const entry = { select: layer.name, quantize: false, because: why };
  return override('exclude-layer', `Keep "${layer.name}" in float`, cost(report, [layer]), entry);
}

function layerPerChannel({ name, tensors }: LayerReport): Suggestion {
  const channels = Math.max(...tensors.filter(isWeight).map(({ shape }) => Number(shape[0])));
  const entry = { select: name, weights: { granularity: 'per-channel' as const } };
  const detail = `Its weights have one scale for all of up to ${channels} channels; one for each costs no time.`;
  return override('per-channel', `Give each channel of "${name}" its own weight scale`, detail, entry);
}

function reduceRange({ name, saturation }: LayerReport): Suggestion {
  const detail = `${sentence(percent(saturation ?? 0))} of the sums overflow 16 bits in this kernel; weights of 7 bits never do.`;
  const entry = { select: name, weights: { reduceRange: true } };
  return override('reduce-range', `Use 7-bit weights for "${name}"`, detail, entry);
}

function activations16({ mode, format, target }: Report, layer: LayerReport): Suggestion[] {
  const isStatic = (layer.mode ?? mode) === 'static';
  const form = target?.activations16 ?? 'none';
  const isWide = layer.tensors.every(
    (tensor) => !isActivation(tensor) || tensor.quantization?.type.endsWith('16') === true,
  );
  if (form === 'none' || !isStatic || format !== 'qdq' || isWide) return [];
  const price =
    form === 'kernel'
      ? 'the backend has integer kernels for them, which take about twice the time of 8 bits'
      : 'this runtime has no integer kernel for them, so the layer computes in float between conversions';
  const detail = `The steps between activations get 256 times finer; ${price}, and the opset is raised to 21.`;
  const entry = { select: layer.name, activations: 'uint16' as const };
  return [override('activations-16', `Use 16-bit activations for "${layer.name}"`, detail, entry)];
}

/** A larger share of the multiply-adds in float is no fix any more. */
const MOST = 0.5;
/** Layers at most this much better, in dB, are as bad. */
const ALIKE = 3;

/** Where others of the same operator or scope are as bad, all of them at once. */
function excludeAlike(report: Report, layer: LayerReport): Suggestion[] {
  const limit = (sqnrOf(layer.local) ?? Infinity) + ALIKE;
  const quantized = report.layers.filter(({ status }) => status === 'quantized');
  const group = (kind: FixKind, select: string, what: string, members: readonly LayerReport[]): Suggestion[] => {
    const bad = members.filter(({ local }) => (sqnrOf(local) ?? NaN) <= limit);
    if (bad.length < 2 || macsShare(report, members) > MOST) return [];
    const why = `${bad.length} of ${members.length} layers up to ${limit.toFixed(1)} dB`;
    const detail = `${bad.length} of its ${members.length} int8 layers are as bad or worse. ${cost(report, members)}`;
    return [override(kind, `Keep ${what} in float`, detail, { select, quantize: false, because: why })];
  };
  const { scope, op } = layer;
  const inScope = quantized.filter((other) => other.scope === scope || other.scope.startsWith(`${scope}/`));
  const ofOp = quantized.filter((other) => other.op === op);
  return [
    ...(scope === '' ? [] : group('exclude-scope', `scope:${scope}`, `everything in "${scope}"`, inScope)),
    ...group('exclude-op', `op:${op}`, `every ${op}`, ofOp),
  ];
}

// --- Ranges ---------------------------------------------------------------------------------------------------------

/** Ranges that keep less than this of what was seen cut deep. */
const CUT = 0.8;

/** Other observers for the tensors of a layer, those that its own error comes from first. */
function rangeFixes(report: Report, layer: LayerReport): Suggestion[] {
  if ((layer.mode ?? report.mode) !== 'static') return [];
  const outputs = layer.tensors.filter((tensor) => tensor.role === 'output');
  const inputs = layer.tensors.filter((tensor) => tensor.role === 'input');
  const byProducer = new Map<string, Suggestion>();
  for (const tensor of [...outputs, ...inputs]) {
    const current = tensor.chosenBy?.observer ?? undefined;
    const producer = report.layers.find(
      (other) =>
        other.status === 'quantized' &&
        other.tensors.some(({ name, role }) => name === tensor.name && role === 'output'),
    );
    if (current === undefined || producer === undefined || byProducer.has(producer.name)) continue;
    const observer = otherObserver(current, tensor);
    if (observer === undefined) continue;
    const entry = { select: producer.name, observer };
    const title = `Choose the range of "${producer.name}" by ${observer}`;
    byProducer.set(
      producer.name,
      override('layer-observer', title, rangeDetail(report, tensor, current, observer), entry),
    );
  }
  return [...byProducer.values()];
}

/** Which observer to try instead; `undefined` where none promises more. */
function otherObserver(current: ObserverId, tensor: TensorReport): ObserverId | undefined {
  // The one that looks for the smallest error is left only where it cut what may matter more than its share.
  if (current === 'mse') return kept(tensor) < CUT ? 'min-max' : undefined;
  return 'mse';
}

/** Share of the observed span that lies in the range. */
function kept({ observed, range }: TensorReport): number {
  if (observed === null || range === null) return 1;
  const span = Math.max(observed.max, 0) - Math.min(observed.min, 0);
  return span > 0 ? (Math.max(range.max, 0) - Math.min(range.min, 0)) / span : 1;
}

/** PyTorch's observers keep a range and no histogram, so that another observer means to calibrate anew. */
function observerCost({ framework }: Report): string {
  return framework === 'torch' ? 'It costs no time' : 'It costs no time and needs no new calibration';
}

function rangeDetail(report: Report, tensor: TensorReport, current: ObserverId, other: ObserverId): string {
  const share = kept(tensor);
  const now =
    share < 0.995
      ? `${current} keeps ${percent(share)} of the span seen in calibration`
      : `${current} keeps all that was seen, outliers included`;
  const then: Readonly<Partial<Record<ObserverId, string>>> = {
    mse: 'mse looks for the range with the smallest error',
    'min-max': 'min-max clips nothing',
  };
  return `Now ${now}; ${then[other] ?? `${other} chooses another range`}. ${observerCost(report)}.`;
}

function observerFixes(report: Report, current: ObserverId): Suggestion[] {
  const { mode, recipe } = report;
  if (mode !== 'static' || current === 'mse') return [];
  const price = `${observerCost(report)}.`;
  const detail = `mse looks for the range with the smallest error in every tensor, where ${current} does not. ${price}`;
  const mse = { kind: 'observer', title: 'Choose all ranges by mse', detail } as const;
  const level = current === 'percentile' ? recipe.calibration?.percentile : undefined;
  const levels = level !== undefined ? [] : PERCENTILES.slice(1);
  return [
    { ...mse, change: { kind: 'observer', observer: 'mse' } },
    ...levels.map((percentile): Suggestion => {
      const left = `1 in ${Math.round(100 / (100 - percentile)).toLocaleString('en')}`;
      return {
        kind: 'observer',
        title: `Leave ${left} values out of all ranges`,
        detail: `The others get finer steps, the outermost are clipped. ${price}`,
        change: { kind: 'observer', observer: 'percentile', percentile },
      };
    }),
  ];
}

// --- Weights and backend --------------------------------------------------------------------------------------------

function isWeight({ role, quantization }: TensorReport): boolean {
  return role === 'weight' && quantization !== null;
}

function isActivation({ role }: TensorReport): boolean {
  return role === 'input' || role === 'output';
}

function isPerTensor({ status, tensors }: LayerReport): boolean {
  const quantized = tensors.filter(isWeight);
  return (
    status === 'quantized' &&
    quantized.some(({ quantization, shape }) => quantization?.axis === null && shape.length >= 2)
  );
}

/** Their observers of PyTorch refuse one scale for each channel. */
const TORCH_PER_TENSOR: readonly string[] = ['ConvTranspose1d', 'ConvTranspose2d', 'ConvTranspose3d'];

function mayBePerChannel({ recipe, target, framework, mode }: Report, { name, op }: LayerReport): boolean {
  // Recurrent modules of PyTorch's dynamic mode have one scale for each gate matrix.
  const perTensorOps = framework === 'torch' && mode !== 'dynamic' ? TORCH_PER_TENSOR : target?.perTensorOps;
  if (perTensorOps === undefined || perTensorOps.includes(op)) return false;
  const own = recipe.layers?.findLast(({ select }) => select === name)?.weights;
  return (weightOverride(own).granularity ?? weightOverride(recipe.weights).granularity) !== 'per-channel';
}

function weightsPerChannel(layers: readonly LayerReport[]): Suggestion {
  return {
    kind: 'per-channel',
    title: 'Give each channel its own weight scale',
    detail: `The weights of ${plural(layers.length, 'layer')} have one scale for all channels; one for each costs no time.`,
    change: { kind: 'weights', granularity: 'per-channel' },
  };
}

/** Off by default for PyTorch's backends, which do not do it. */
function biasCorrection({ framework, mode, recipe, target, calibration }: Report): Suggestion[] {
  const isOn = recipe.calibration?.biasCorrection ?? target?.biasCorrection;
  if (isOn !== false || framework === 'torch' || mode !== 'static' || calibration === null) return [];
  const detail =
    'The bias of each channel takes back what rounding the weights adds to its mean (Nagel et al. 2019). It costs no time.';
  const change = { kind: 'bias-correction', enabled: true } as const;
  return [{ kind: 'bias-correction', title: 'Correct the biases', detail, change }];
}

/** PyTorch's x86 backends leave half of the integers unused, against sums that overflow. */
function moreLevels(report: Report): Suggestion[] {
  if (report.framework === 'torch') return torchBackends(report);
  const { backend, target, environment } = report;
  if (target === undefined || target.levels >= 256 || backend === 'ort-cpu') return [];
  const safe = environment.saturates ? '; overflow is prevented in the weights of the channels that need it' : '';
  const detail = `${backend} uses ${target.levels} integers for activations, ort-cpu 256${safe}.`;
  return [useBackend('ort-cpu', detail)];
}

/** Between those of the same build of torch: as many integers as its kernels can take on this CPU, and no more. */
function torchBackends({ backend, mode, recipe, environment }: Report): Suggestion[] {
  if (mode === 'dynamic' || weightOverride(recipe.weights).reduceRange !== undefined) return [];
  const engines = environment.engines ?? [];
  const narrow = backend === 'fbgemm' || backend === 'x86';
  if (narrow && engines.some(({ id, saturates }) => id === 'onednn' && !saturates)) {
    const detail = `${backend} uses 128 integers for activations, onednn 256, which is safe on this CPU.`;
    return [useBackend('onednn', detail)];
  }
  if (!narrow && environment.saturates && engines.some(({ id }) => id === 'fbgemm')) {
    const detail = `Sums of ${backend} overflow 16 bits on this CPU; fbgemm uses 128 integers for activations, which never do.`;
    return [useBackend('fbgemm', detail)];
  }
  return [];
}

function useBackend(backend: BackendId, detail: string): Suggestion {
  return { kind: 'backend', title: `Use the backend ${backend}`, detail, change: { kind: 'backend', backend } };
}

function twinOf({ mode }: Report, { name, op, twin }: LayerReport): Suggestion[] {
  if (twin === undefined || mode === 'dynamic' || mode === 'pt2e') return [];
  const detail = `${twin} computes the same here, and torch has a right int8 kernel for it, which it has not for ${op}.`;
  const change = { kind: 'twin', module: name.replace(/@\d+$/, '') } as const;
  return [{ kind: 'twin', title: `Replace "${name}" by ${twin}`, detail, change }];
}

// --- A layer that is not quantized ----------------------------------------------------------------------------------

const MOST_BACKENDS = 3;

function fixesOfReason(report: Report, layer: LayerReport): Suggestion[] {
  if (layer.reason === 'excluded') return includeLayer(report, layer);
  if (layer.reason === 'opset-too-old') return raiseOpset(report, [layer]);
  const others = [...neededMode(report, layer), ...twinOf(report, layer), ...otherBackends(layer)];
  // An ONNX layer that the runtime leaves in float has no conversions around it to save.
  if (layer.reason !== 'runtime-not-fused' || report.framework === 'onnx') return others;
  return [excludeLayer(report, layer, 'the runtime has no int8 kernel for it'), ...others];
}

function otherBackends({ op, alternatives = [] }: LayerReport): Suggestion[] {
  return alternatives
    .slice(0, MOST_BACKENDS)
    .map((backend) =>
      useBackend(backend, `It has an int8 kernel for this ${op}; its rules then hold for the whole model.`),
    );
}

function raiseOpset({ recipe, model }: Report, layers: readonly LayerReport[]): Suggestion[] {
  const opset = recipe.normalize?.opset ?? 'auto';
  if (opset === 'auto') return [];
  const detail = `The model has opset ${model.opset}, which cannot express the int8 form of ${plural(layers.length, 'layer')}.`;
  return [
    { kind: 'raise-opset', title: 'Raise the opset as needed', detail, change: { kind: 'opset', opset: 'auto' } },
  ];
}

/**
 * Where nothing but an entry of its own can keep the layer in float, the entry goes; else a stronger one, by
 * name, quantizes the layer in spite of the others.
 */
function includeLayer(report: Report, layer: LayerReport): Suggestion[] {
  const excluding = (report.recipe.layers ?? []).filter(({ quantize }) => quantize === false);
  const own = excluding.filter(({ select }) => select === layer.name);
  const wider = excluding.filter(({ select }) => select !== layer.name && mayMatch(select, layer));
  const others = (report.recipe.layers ?? []).filter(({ select }) => select === layer.name);
  const isWhole = others.every((entry) => Object.keys(entry).every((key) => WHOLE.has(key)));
  const change: RecipeChange =
    own.length > 0 && wider.length === 0 && isWhole
      ? { kind: 'remove-override', select: layer.name }
      : { kind: 'override', override: { select: layer.name, quantize: true } };
  const why = [...own, ...wider].findLast((entry) => entry.because !== undefined)?.because;
  const reason = why === undefined ? '' : `The recipe keeps it in float because of this: ${why}. `;
  const detail = `${reason}${sentence(percent(macsShare(report, [layer])))} of the multiply-adds would run in int8 again.`;
  const include = { kind: 'include-layer', title: `Quantize "${layer.name}"`, detail, change } as const;
  const removals = wider.map(({ select }): Suggestion => {
    const removed = { kind: 'remove-override', select } as const;
    const removal = `Removes the entry \`${select}\`, which keeps this layer and maybe others in float.`;
    return { kind: 'include-layer', title: `Quantize what "${select}" selects`, detail: removal, change: removed };
  });
  return [include, ...removals];
}

const WHOLE: ReadonlySet<string> = new Set(['select', 'quantize', 'because']);

function mayMatch(select: string, { name, op, scope }: LayerReport): boolean {
  if (select.startsWith('op:')) return select.slice('op:'.length) === op;
  if (select.startsWith('scope:')) {
    const wanted = select.slice('scope:'.length).replace(/^\/+|\/+$/g, '');
    return `${scope}/`.startsWith(`${wanted}/`) || name.replace(/^\/+|\/+$/g, '') === wanted;
  }
  // A pattern up to its first special character.
  const special = select.search(/[*?{[]/);
  return special >= 0 && name.startsWith(select.slice(0, special));
}

// --- Words ----------------------------------------------------------------------------------------------------------

function because({ local }: LayerReport): string {
  const sqnr = comparedOf(local)?.sqnr ?? null;
  return sqnr === null ? 'no error measured' : `${sqnr.toFixed(1)} dB`;
}

function cost(report: Report, layers: readonly LayerReport[]): string {
  const share = macsShare(report, layers);
  return share > 0
    ? sentence(`${percent(share)} of the multiply-adds would run in float.`)
    : 'It has no multiply-adds, so it costs little more than the conversions around it.';
}

/** Of all multiply-adds of the model, those of the given layers. */
function macsShare({ layers }: Report, of: readonly LayerReport[]): number {
  const sum = (list: readonly LayerReport[]): number => list.reduce((total, { macs }) => total + macs, 0);
  const all = sum(layers);
  return all > 0 ? sum(of) / all : 0;
}

function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return 'less than 0.1 %';
  return `${value >= 99.95 ? 100 : Number(value.toPrecision(value < 10 ? 2 : 3))} %`;
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
