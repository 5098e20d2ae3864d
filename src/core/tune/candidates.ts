/** What a tune tries, in which order: first what costs nothing at run time, then the layers that hurt most. Pure. */

import { OBSERVERS, weightOverride, type ObserverId, type Recipe } from '../../shared/recipe';
import type { TuneChange } from '../../shared/tuning';

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
  backend: { readonly observer: ObserverId; readonly perChannel: boolean },
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

/** The recipe entry that keeps a layer in float. */
export function exclusion(layer: string, because: string): TuneChange {
  return { change: { kind: 'override', override: { select: layer, quantize: false, because } }, because };
}
