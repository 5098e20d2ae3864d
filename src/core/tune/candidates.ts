/** What a tune tries, in which order: first what costs nothing at run time, then the layers that hurt most. Pure. */

import { microseconds } from '../../shared/format';
import { OBSERVERS, weightOverride, type ObserverId, type Recipe } from '../../shared/recipe';
import { PERCENTILES, SMOOTHING } from '../../shared/recipeValues';
import type { TuneChange, TunePoint } from '../../shared/tuning';
import { DEFAULT_PERCENTILE } from '../calibrate/observers';

/** What was measured of a layer in int8. */
export interface LayerCost {
  readonly layer: string;
  /** Error power at the outputs with this layer alone quantized, relative to the signal. */
  readonly power: number;
  /** Multiply-adds of the layer. */
  readonly macs: number;
  /** Of its kernels in one run, in microseconds; `null` where the runtime merged it into another layer. */
  readonly time: { readonly int8: number; readonly fp32: number } | null;
  /** Whether it is a Concat of unequal inputs that can be split away. */
  readonly split: boolean;
}

/** What a goal still lacks. */
export interface Lacks {
  readonly error: boolean;
  readonly time: boolean;
}

/** Less is not worth a calibration of its own. */
const UNEVEN = 2;

/** What can be done to the graph of a model. */
export interface GraphFacts {
  /** By how much equalizing would even out the channels; 1 where it would not. */
  readonly unevenness: number;
  /** Whether smoothing finds activations whose channels can be divided. */
  readonly smoothable: boolean;
}

/** Changes of the whole recipe that make the model neither larger nor slower by much. */
export function freeChanges(
  recipe: Recipe,
  backend: { readonly observer: ObserverId; readonly perChannel: boolean; readonly biasCorrection: boolean },
  graph: GraphFacts,
): TuneChange[] {
  const changes: TuneChange[] = [];
  const { granularity } = weightOverride(recipe.weights);
  const perTensor = granularity === 'per-tensor' || (granularity === undefined && !backend.perChannel);
  if (perTensor) changes.push({ change: { kind: 'weights', granularity: 'per-channel' }, because: '' });
  if (graph.unevenness > UNEVEN && recipe.normalize?.equalize !== true) {
    changes.push({ change: { kind: 'equalize', enabled: true }, because: '' });
  }
  if (graph.smoothable && recipe.calibration !== undefined) {
    const strengths = SMOOTHING.filter((strength) => strength !== recipe.normalize?.smooth);
    changes.push(...strengths.map((strength) => ({ change: { kind: 'smooth', strength } as const, because: '' })));
  }
  if ((recipe.mode ?? 'static') === 'static' && recipe.calibration !== undefined) {
    const used = recipe.calibration.observer ?? backend.observer;
    const level = recipe.calibration.percentile ?? DEFAULT_PERCENTILE;
    for (const observer of OBSERVERS) {
      if (observer === 'percentile') {
        for (const percentile of PERCENTILES) {
          const isUsed = observer === used && percentile === level;
          if (!isUsed) changes.push({ change: { kind: 'observer', observer, percentile }, because: '' });
        }
      } else if (observer !== used) changes.push({ change: { kind: 'observer', observer }, because: '' });
    }
    const correction = recipe.calibration.biasCorrection ?? backend.biasCorrection;
    if (!correction) changes.push({ change: { kind: 'bias-correction', enabled: true }, because: '' });
  }
  return changes;
}

/** Microseconds that a layer costs in int8 and not in float. */
function excess({ time }: LayerCost): number {
  return time === null ? 0 : time.int8 - time.fp32;
}

/**
 * Layers by what they bring for what they cost. Against an error that is the error power for each share of the work
 * that goes back to float; where the whole is cheap anyway, the error alone decides. Against time it is the time that
 * the float kernel saves, whatever the error. Against both, the shares of both are added.
 */
export function rankLayers(layers: readonly LayerCost[], lacks: Lacks): LayerCost[] {
  const total = layers.reduce((sum, { macs }) => sum + macs, 0);
  const worths = layers.map((layer) => {
    const power = lacks.error ? layer.power / (0.01 + (total === 0 ? 0 : layer.macs / total)) : 0;
    return { layer, power, saved: lacks.time ? excess(layer) : 0 };
  });
  const [power, saved] = [sumOf(worths.map((worth) => worth.power)), sumOf(worths.map((worth) => worth.saved))];
  return worths
    .map((worth) => ({ layer: worth.layer, value: share(worth.power, power) + share(worth.saved, saved) }))
    .filter(({ value }) => value > 0)
    .toSorted((a, b) => b.value - a.value || (a.layer.layer < b.layer.layer ? -1 : 1))
    .map(({ layer }) => layer);
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + Math.max(0, value), 0);
const share = (value: number, whole: number): number => (whole === 0 ? Math.min(0, value) : value / whole);

/**
 * The change against what a layer costs: a Concat of unequal inputs is split; others get 16-bit activations where there
 * are kernels for them, else float.
 */
export function remedy(layer: LayerCost, lacks: Lacks, { wide }: { readonly wide: boolean }): TuneChange {
  const error = `quantized alone, it leaves ${(-10 * Math.log10(layer.power)).toFixed(1)} dB at the outputs`;
  const slow = lacks.time && excess(layer) > 0;
  const because = [
    ...(lacks.error && layer.power > 0 ? [error] : []),
    ...(slow
      ? [`its int8 kernels take ${microseconds(layer.time!.int8)}, its float ones ${microseconds(layer.time!.fp32)}`]
      : []),
  ].join('; ');
  if (layer.split && lacks.error) return { change: { kind: 'split', concat: layer.layer }, because };
  const settings = wide && !slow ? { activations: 'uint16' as const } : { quantize: false };
  return { change: { kind: 'override', override: { select: layer.layer, ...settings, because } }, because };
}

/** Changes of the whole recipe with what each alone made of the outputs; `points` holds those trials. */
export function explained(change: TuneChange, points: readonly TunePoint[]): TuneChange {
  if (change.because !== '') return change;
  const key = JSON.stringify(change.change);
  const [start] = points;
  const alone = points.find(({ changes }) => changes.length === 1 && JSON.stringify(changes[0]!.change) === key);
  const decibels = (point: TunePoint | undefined): string => point?.sqnr?.toFixed(1) ?? 'exact';
  return { ...change, because: `alone, it takes the outputs from ${decibels(start)} to ${decibels(alone)} dB` };
}
