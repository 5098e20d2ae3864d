/** What a tune tries, in which order: first what costs nothing at run time, then the layers that hurt most. Pure. */

import { OBSERVERS, weightOverride, type ObserverId, type Recipe } from '../../shared/recipe';
import type { TuneChange, TunePoint } from '../../shared/tuning';

/** What the sweep tells of a layer. */
export interface LayerError {
  readonly layer: string;
  /** Error power at the outputs with this layer alone quantized, relative to the signal. */
  readonly power: number;
  /** Multiply-adds of the layer. */
  readonly macs: number;
}

/** Changes of the whole recipe that make the model neither larger nor slower by much. */
export function freeChanges(
  recipe: Recipe,
  backend: { readonly observer: ObserverId; readonly perChannel: boolean; readonly biasCorrection: boolean },
): TuneChange[] {
  const changes: TuneChange[] = [];
  const { granularity } = weightOverride(recipe.weights);
  const perTensor = granularity === 'per-tensor' || (granularity === undefined && !backend.perChannel);
  if (perTensor) changes.push({ change: { kind: 'weights', granularity: 'per-channel' }, because: '' });
  if ((recipe.mode ?? 'static') === 'static' && recipe.calibration !== undefined) {
    const used = recipe.calibration.observer ?? backend.observer;
    for (const observer of OBSERVERS) {
      if (observer !== used) changes.push({ change: { kind: 'observer', observer }, because: '' });
    }
    const correction = recipe.calibration.biasCorrection ?? backend.biasCorrection;
    if (!correction) changes.push({ change: { kind: 'bias-correction', enabled: true }, because: '' });
  }
  return changes;
}

/**
 * Layers by what they bring for what they cost: error power for each share of the work that goes back
 * to float. Where the whole is cheap anyway, the error alone decides.
 */
export function rankLayers(errors: readonly LayerError[]): LayerError[] {
  const total = errors.reduce((sum, { macs }) => sum + macs, 0);
  const worth = ({ power, macs }: LayerError): number => power / (0.01 + (total === 0 ? 0 : macs / total));
  return errors
    .filter(({ power }) => power > 0)
    .toSorted((a, b) => worth(b) - worth(a) || (a.layer < b.layer ? -1 : 1));
}

/** The recipe entry against the error of a layer: 16-bit activations where there are kernels for them, else float. */
export function remedy({ layer, power }: LayerError, { wide }: { readonly wide: boolean }): TuneChange {
  const because = `quantized alone, it leaves ${(-10 * Math.log10(power)).toFixed(1)} dB at the outputs`;
  const settings = wide ? { activations: 'uint16' as const } : { quantize: false };
  return { change: { kind: 'override', override: { select: layer, ...settings, because } }, because };
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
