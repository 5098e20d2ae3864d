/** A model in the worker: loaded, and prepared by what a recipe says of its layers. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { Dataset } from '../core/data/types';
import type { QuantizeJob } from '../core/pipeline/types';
import { resolveOverrides, withSlashes } from '../shared/selectors';
import { QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import { firstOf } from './data';
import { loadedSchema, preparedSchema, type Loaded, type PreparedModel } from './protocol';
import type { Source } from './report';
import { engineToUse, overrideSettings, type LayerSettings, type Settings } from './settings';
import type { TorchWorker } from './worker';

export interface Preparation {
  readonly prepared: PreparedModel;
  /** What the recipe says of single layers, by name. */
  readonly overrides: ReadonlyMap<string, LayerSettings>;
}

/**
 * Overrides name layers, and which layers there are is known only once the model was prepared.
 * @throws `selector-unmatched`; `torch-untraceable`
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
  const layers = plain.layers.map(({ name, op }) => ({ name, op, path: withSlashes(name) }));
  const found = resolveOverrides(entries, layers);
  const overrides = new Map([...found].map(([name, override]) => [name, overrideSettings(override)]));
  return { prepared: await prepare(overrides), overrides };
}

/** @param engine the quantized engine to choose; `null` leaves that of the process */
export function askToLoad(
  worker: TorchWorker,
  { model, torch }: Recipe,
  baseDir: string,
  engine: string | null,
  threads: number | undefined,
): Promise<Loaded> {
  return worker.ask(loadedSchema, {
    method: 'load',
    params: {
      model,
      weights: torch?.weights ?? null,
      base: path.resolve(baseDir),
      inputs: torch?.inputs ?? null,
      threads: threads ?? null,
      engine,
      twins: torch?.twins ?? [],
    },
  });
}

/** @throws `plan-impossible` for what the mode does not take, and for what TorchScript cannot be given */
export async function loadModel(
  worker: TorchWorker,
  { recipe, baseDir }: QuantizeJob,
  settings: Settings,
  threads: number | undefined,
): Promise<Loaded> {
  const { mode, leaves } = settings;
  const loaded = await askToLoad(worker, recipe, baseDir, engineToUse(settings), threads);
  if (loaded.kind === 'exported') {
    throw new QuantscopeError('plan-impossible', `${recipe.model} is a program of torch.export, not a module.`, {
      hint: 'Name the factory of the module, `file.py:factory`, instead.',
    });
  }
  const impossible = [
    ...(mode === 'static' ? [] : [`\`mode: ${mode}\``]),
    ...((recipe.layers ?? []).length === 0 ? [] : ['`layers`']),
    ...(leaves.length === 0 ? [] : ['`torch.leaves`']),
  ];
  if (loaded.kind !== 'torchscript' || impossible.length === 0) return loaded;
  throw new QuantscopeError('plan-impossible', `TorchScript takes no ${impossible.join(', ')}.`, {
    hint: 'Name the factory of the module, `file.py:factory`, instead: FX can do all of it.',
  });
}

/** The files that the model was read from, together. */
export async function sourceOf({ files }: Loaded): Promise<Source> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const file of files) {
    const content = await readFile(file);
    hash.update(content);
    bytes += content.length;
  }
  const [source] = files;
  if (source === undefined) throw new QuantscopeError('internal', 'The model was read from no file.');
  return { source, sha256: hash.digest('hex'), bytes };
}
