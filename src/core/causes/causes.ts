/** Causes of a layer's error, told from its weights, its report and the extremes of what it reads and writes. Pure. */

import type { Cause } from '../../shared/causes';
import type { Fix, FixKind } from '../../shared/fixes';
import type { LayerOverride } from '../../shared/recipe';
import type { LayerReport, TensorReport } from '../../shared/report';
import { median } from '../benchmark/statistics';
import { channelPeaks, type SampleExtremes } from './extremes';

export interface LayerData {
  readonly report: LayerReport;
  readonly extremes: SampleExtremes;
  /** Largest magnitude of each output channel of the weight; empty without one. */
  readonly weights: readonly number[];
  /** Layers that read what this one writes, and run in int8. */
  readonly readers: readonly string[];
  /** The int8 layer that writes a tensor; `undefined` for an input of the model. */
  readonly producerOf: (tensor: string) => string | undefined;
  /** By what equalizing would divide each channel of a tensor; `undefined` where it stands between no two layers. */
  readonly equalizing: (tensor: string) => Float64Array | undefined;
  /** By what smoothing would divide each channel of a tensor, the least strength first; empty where nothing can take it. */
  readonly smoothing: (tensor: string) => readonly { readonly strength: number; readonly scales: Float64Array }[];
  /** Whether the layer is a Concat that can be split away. */
  readonly splittable: boolean;
  /** How many values of a tensor exceed a magnitude, and how many there are; for the percentile that leaves them out. */
  readonly beyond: (tensor: string, magnitude: number) => { readonly values: number; readonly of: number };
}

/** A channel, a sample or an input this many times larger than the others costs them more than three bits. */
const OUTLIER = 10;
/** One sample that widens a range this much costs all others more than a bit. */
const ALONE = 3;
/** A kernel that clips a larger share of its sums than this has an error from it. */
const SATURATED = 1e-3;
/** Weights below this have squares that float32 cannot hold well beside their scales. */
const TINY = 1e-6;

/** The likeliest first; empty where the data shows nothing unusual. */
export function causesOf(data: LayerData): Cause[] {
  return [
    ...saturation(data),
    ...concat(data),
    ...oneSample(data),
    ...weightChannels(data),
    ...activationChannels(data),
    ...tinyWeights(data),
    ...deadChannels(data),
  ];
}

function fixOf(kind: FixKind, title: string, detail: string, override: LayerOverride): Fix {
  return { kind, title, detail, change: { kind: 'override', override }, preferred: true };
}

function saturation({ report: { name, saturation: rate } }: LayerData): Cause[] {
  if (rate === null || rate <= SATURATED) return [];
  const sentence = `${percent(rate)} of the sums of "${name}" overflow 16 bits in the int8 kernel of this CPU.`;
  const override = { select: name, weights: { reduceRange: true } };
  const detail = 'Products of weights of 7 bits never overflow; the steps of the weights get twice as large.';
  return [
    {
      kind: 'kernel-saturation',
      sentence,
      fix: fixOf('reduce-range', `Use 7-bit weights for "${name}"`, detail, override),
    },
  ];
}

/** Inputs of a Concat share the scale of its output. */
function concat({ report, extremes, readers, splittable }: LayerData): Cause[] {
  if (report.op !== 'Concat') return [];
  const inputs = report.tensors.filter(({ role }) => role === 'input');
  const spans = inputs.map(({ name }) => largestOf(extremes, name)).filter((span) => span > 0);
  const [small, large] = [Math.min(...spans), Math.max(...spans)];
  if (spans.length < 2 || large < OUTLIER * small) return [];
  const steps = Math.max(1, Math.round((256 * small) / large));
  const sentence = `The inputs of "${report.name}" reach ${short(small)} and ${short(large)}, and share one scale: the smaller has ${steps} of 256 steps.`;
  if (splittable) return [{ kind: 'unequal-concat', sentence, fix: splitFix(report.name) }];
  const names = [report.name, ...readers];
  const select = names.length === 1 ? report.name : `{${names.map(escaped).join(',')}}`;
  const detail = 'Each input then keeps a scale of its own.';
  const what = readers.length === 0 ? `"${report.name}"` : `"${report.name}" and what reads it`;
  const override = { select, quantize: false, because: `its inputs reach ${short(small)} and ${short(large)}` };
  return [{ kind: 'unequal-concat', sentence, fix: fixOf('exclude-layer', `Keep ${what} in float`, detail, override) }];
}

function splitFix(concat: string): Fix {
  return {
    kind: 'split-concat',
    title: `Split "${concat}" by its inputs`,
    detail:
      'What reads it becomes one layer for each input, each with a scale of its own, and their results are added. What the model computes stays, and its products stay in int8; the sums take time.',
    change: { kind: 'split', concat },
    preferred: true,
  };
}

/** Ranges that one sample alone sets, where the observer takes them as they are. */
function oneSample({ report, extremes, beyond, producerOf }: LayerData): Cause[] {
  return report.tensors.flatMap((tensor): Cause[] => {
    const alone = isActivation(tensor) && tensor.chosenBy?.observer === 'min-max' ? loner(extremes, tensor.name) : null;
    if (alone === null) return [];
    const { sample, first, second } = alone;
    const { values, of } = beyond(tensor.name, second);
    const twoSided = (tensor.observed?.min ?? 0) < 0;
    const cut = ((twoSided ? 200 : 100) * (values + 0.5)) / Math.max(1, of);
    const choice = { observer: 'percentile' as const, percentile: Number(Math.max(90, 100 - cut).toFixed(6)) };
    const sentence = `One sample, ${sample}, sets the range of "${tensor.name}": it reaches ${short(first)}, all others at most ${short(second)}.`;
    const detail = `The range then leaves out ${values} of ${of} values. If the sample is not of a kind that matters, take it out of the calibration data instead.`;
    const producer = producerOf(tensor.name);
    const fix: Fix =
      producer === undefined
        ? {
            ...{ kind: 'observer', title: 'Choose all ranges by percentile', detail, preferred: true },
            change: { kind: 'observer', ...choice },
          }
        : fixOf('layer-observer', `Choose the range of "${producer}" by percentile`, detail, {
            select: producer,
            ...choice,
          });
    return [{ kind: 'one-sample-range', sentence, tensor: tensor.name, sample, fix }];
  });
}

/** The sample that reaches far beyond all others. */
function loner(
  { samples, tensors }: SampleExtremes,
  name: string,
): { readonly sample: string; readonly first: number; readonly second: number } | null {
  const found = tensors.get(name);
  if (found === undefined || found.max.length < 3) return null;
  const peaks = found.max.map((max, i) => Math.max(largest(max), -smallest(found.min[i]!)));
  const [first = 0, second = 0] = peaks.toSorted((a, b) => b - a);
  if (second <= 0 || first < ALONE * second) return null;
  return { sample: samples[peaks.indexOf(first)] ?? '', first, second };
}

function weightChannels({ report, weights }: LayerData): Cause[] {
  const tensor = report.tensors.find(({ role }) => role === 'weight');
  const quantization = tensor?.quantization;
  if (tensor === undefined || quantization?.axis !== null) return [];
  const alive = weights.filter((value) => value > 0);
  const limit = OUTLIER * median(alive);
  if (alive.length < 2) return [];
  const detail = 'One scale for each channel costs no time.';
  const override = { select: report.name, weights: { granularity: 'per-channel' as const } };
  const fix = fixOf('per-channel', `Give each channel of "${report.name}" its own weight scale`, detail, override);
  const outliers = outliersOf(weights, limit);
  if (outliers.length > 0) {
    const times = weights[outliers[0]!]! / median(alive);
    const sentence = `Channel ${outliers[0]} of the weights of "${report.name}" is ${short(times)} times larger than the others, and all share one scale.`;
    return [{ kind: 'outlier-channel', sentence, tensor: tensor.name, channels: outliers, fix }];
  }
  const ratio = largest(alive) / smallest(alive);
  if (ratio < OUTLIER) return [];
  const sentence = `The weights of the channels of "${report.name}" differ by a factor of ${short(ratio)}, and all share one scale.`;
  return [{ kind: 'channel-imbalance', sentence, tensor: tensor.name, fix }];
}

/** Activations have one scale for all channels, whatever the recipe says. */
function activationChannels({ report, extremes, equalizing, smoothing }: LayerData): Cause[] {
  return report.tensors.flatMap((tensor): Cause[] => {
    if (!isActivation(tensor) || tensor.quantization === null || loner(extremes, tensor.name) !== null) return [];
    const peaks = channelPeaks(extremes, tensor.name);
    const alive = peaks.filter((value) => value > 0);
    if (alive.length < 4) return [];
    const outliers = outliersOf(peaks, OUTLIER * median(alive));
    if (outliers.length === 0 || outliers.length > alive.length / 4) return [];
    const times = peaks[outliers[0]!]! / median(alive);
    const sentence = `Channel ${outliers[0]} of what "${report.name}" ${tensor.role === 'input' ? 'reads' : 'writes'} is ${short(times)} times larger than the others, and all share one scale.`;
    const common = { kind: 'outlier-channel', sentence, tensor: tensor.name, channels: outliers } as const;
    const scales = equalizing(tensor.name);
    if (scales?.length === peaks.length && isEven(peaks.map((peak, c) => peak / scales[c]!))) {
      return [{ ...common, fix: EQUALIZE }];
    }
    const smooth = smoothing(tensor.name).find(({ scales: s }) => isEven(peaks.map((peak, c) => peak / s[c]!)));
    if (smooth !== undefined) return [{ ...common, fix: smoothFix(smooth.strength) }];
    const because = `channel ${outliers[0]} is ${short(times)} times larger than the others`;
    const override = { select: report.name, quantize: false, because };
    const detail = 'Activations have one scale for all channels; in float each channel keeps its digits.';
    const fix = fixOf('exclude-layer', `Keep "${report.name}" in float`, detail, override);
    return [{ ...common, fix }];
  });
}

function isEven(peaks: readonly number[]): boolean {
  return outliersOf(peaks, OUTLIER * median(peaks.filter((value) => value > 0))).length === 0;
}

const EQUALIZE: Fix = {
  kind: 'equalize',
  title: 'Even out the channels between neighbouring layers',
  detail:
    'Each channel is divided in one layer and multiplied back in the next, so that all use the scale alike. What the model computes stays, and it costs no time.',
  change: { kind: 'equalize', enabled: true },
  preferred: true,
};

function smoothFix(strength: number): Fix {
  return {
    kind: 'smooth',
    title: 'Move outlier channels of activations into the weights',
    detail: `Each channel is divided where it is made, and the weights that read it are multiplied (SmoothQuant, strength ${strength}). What the model computes stays, and it costs no time.`,
    change: { kind: 'smooth', strength },
    preferred: true,
  };
}

function tinyWeights({ report, weights }: LayerData): Cause[] {
  const most = Math.max(0, largest(weights));
  if (most === 0 || most >= TINY) return [];
  const sentence = `The weights of "${report.name}" are at most ${short(most)}: the scale of its bias gets too small for 32 bits.`;
  const override = { select: report.name, quantize: false, because: `its weights are at most ${short(most)}` };
  const detail = 'In float nothing is rounded.';
  return [
    { kind: 'tiny-weights', sentence, fix: fixOf('exclude-layer', `Keep "${report.name}" in float`, detail, override) },
  ];
}

function deadChannels({ report, extremes }: LayerData): Cause[] {
  return report.tensors.flatMap((tensor): Cause[] => {
    const found = tensor.role === 'output' ? extremes.tensors.get(tensor.name) : undefined;
    const [first] = found?.max ?? [];
    if (found === undefined || first === undefined || first.length < 2) return [];
    const channels = [...first.keys()].filter((c) =>
      found.max.every((max, i) => max[c] === first[c] && found.min[i]![c] === first[c]),
    );
    if (channels.length === 0) return [];
    const many = channels.length === 1 ? `Channel ${channels[0]}` : `${channels.length} of ${first.length} channels`;
    const sentence = `${many} of what "${report.name}" writes never changed in calibration.`;
    return [{ kind: 'dead-channels', sentence, tensor: tensor.name, channels }];
  });
}

/** Ranges that grew by more than this in the second half of the samples have not settled. */
const SETTLED = 0.05;

/** Whether the ranges still grow when the samples run out. */
export function fewSamples({ samples, tensors }: SampleExtremes): Cause[] {
  const half = Math.floor(samples.length / 2);
  const growths = [...tensors.values()].flatMap(({ min, max }) => {
    const span = (n: number): number =>
      Math.max(0, ...max.slice(0, n).map(largest)) - Math.min(0, ...min.slice(0, n).map(smallest));
    const [before, after] = [span(half), span(samples.length)];
    return before > 0 ? [after / before - 1] : [];
  });
  if (growths.length === 0) return [];
  const growth = median(growths);
  if (growth <= SETTLED) return [];
  const sentence = `With ${samples.length} samples the ranges have not settled: the second half of them widened the median range by ${percent(growth)}. Take more samples.`;
  return [{ kind: 'few-samples', sentence }];
}

function outliersOf(values: readonly number[], limit: number): number[] {
  const found = values.flatMap((value, channel) => (limit > 0 && value > limit ? [channel] : []));
  return found.toSorted((a, b) => values[b]! - values[a]!);
}

function largestOf(extremes: SampleExtremes, name: string): number {
  return Math.max(0, largest(channelPeaks(extremes, name)));
}

/** There are more channels in some vocabularies than a function may have arguments. */
function largest(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  return most;
}

function smallest(values: Iterable<number>): number {
  let least = Infinity;
  for (const value of values) least = Math.min(least, value);
  return least;
}

function isActivation({ role }: TensorReport): boolean {
  return role === 'input' || role === 'output';
}

/** A name as a part of a glob that means just itself. */
function escaped(name: string): string {
  return name.replace(/[\\*?{},]/g, '\\$&');
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function percent(share: number): string {
  return `${short(100 * share)} %`;
}
