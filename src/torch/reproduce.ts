/** The Python script that makes the same int8 model without Quantscope; the worker writes it, since it knows what it did. */

import * as path from 'node:path';
import { z } from 'zod';
import { resolvePreprocess } from '../core/data/preprocess';
import type { Dataset } from '../core/data/types';
import type { QuantizeJob } from '../core/pipeline/types';
import { preprocessOf } from '../shared/recipe';
import { loaderOf } from '../shared/torchLoader';
import { modelName } from '../core/resultsFolder';
import type { Loaded } from './protocol';
import { trainingOf } from './train';
import type { TorchWorker } from './worker';

export async function reproductionScript(
  worker: TorchWorker,
  { recipe, baseDir }: QuantizeJob,
  loaded: Loaded,
  dataset: Dataset,
  outDir: string,
): Promise<string> {
  const [input] = loaded.inputs;
  const images = dataset.kind === 'images' && input !== undefined;
  const { script } = await worker.ask(z.object({ script: z.string() }), {
    method: 'script',
    params: {
      base: path.resolve(baseDir),
      folder: outDir,
      name: modelName(recipe.model),
      model: recipe.model,
      weights: recipe.torch?.weights ?? null,
      data: [recipe.calibration?.data ?? []].flat(),
      kind: loaderOf(recipe.calibration?.data) === undefined ? dataset.kind : 'loader',
      ranks: Object.fromEntries(loaded.inputs.map(({ name, shape }) => [name, shape.length])),
      ids: dataset.ids,
      training: trainingOf(recipe),
      preprocess: images ? resolvePreprocess(preprocessOf(recipe.preprocess), input) : null,
    },
  });
  return script;
}
