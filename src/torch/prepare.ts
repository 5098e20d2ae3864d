/** A loaded model, prepared in the worker by what a recipe says of its layers. */

import type { Dataset } from '../core/data/types';
import type { Recipe } from '../shared/recipe';
import { firstOf } from './data';
import { preparedSchema, type PreparedModel } from './protocol';
import { resolveTorchOverrides } from './selectors';
import { overrideSettings, type LayerSettings, type Settings } from './settings';
import type { TorchWorker } from './worker';

export interface Preparation {
  readonly prepared: PreparedModel;
  /** What the recipe says of single layers, by name. */
  readonly overrides: ReadonlyMap<string, LayerSettings>;
}

/**
 * Overrides name layers, and which layers there are is known only once the model was prepared.
 * @throws `selector-unmatched`; `torch-failed` for a model that cannot be traced
 */
export async function prepareModel(
  worker: TorchWorker,
  recipe: Recipe,
  settings: Settings,
  calibration: Dataset,
  signal: AbortSignal | undefined,
): Promise<Preparation> {
  const prepare = (overrides: ReadonlyMap<string, LayerSettings>): Promise<PreparedModel> =>
    worker.ask(preparedSchema, {
      method: 'prepare',
      params: {
        options: {
          backend: settings.backend,
          engine: settings.engine,
          mode: settings.mode,
          leaves: settings.leaves,
          settings: settings.global,
          overrides: Object.fromEntries(overrides),
        },
      },
      samples: firstOf(calibration, 1, signal),
    });
  const plain = await prepare(new Map());
  const entries = recipe.layers ?? [];
  if (entries.length === 0) return { prepared: plain, overrides: new Map() };
  const found = resolveTorchOverrides(entries, plain.layers);
  const overrides = new Map([...found].map(([name, override]) => [name, overrideSettings(override)]));
  return { prepared: await prepare(overrides), overrides };
}
