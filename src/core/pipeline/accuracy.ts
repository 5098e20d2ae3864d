/** fp32 beside int8 on the validation samples: top-1, top-5 and agreement. */

import * as path from 'node:path';
import { throwIfCancelled } from '../../shared/errors';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import type { AccuracyReport } from '../../shared/report';
import { openDataset } from '../data/dataset';
import type { Dataset, Skipped } from '../data/types';
import { Classification, classScores } from '../evaluate/classification';
import { readLabels } from '../labels';
import type { OnnxModel } from '../onnx/model';
import { RateMeter } from '../rate';
import { openSession, type TensorInfo } from '../runtime/session';
import type { Tensor } from '../tensor';
import type { JobContext } from './types';

/** The samples the recipe validates on; `undefined` where it names none. */
export async function openValidation(
  recipe: Recipe,
  inputs: readonly TensorInfo[],
  baseDir: string,
  context: JobContext,
): Promise<Dataset | undefined> {
  const { validate } = recipe;
  if (validate === undefined) return undefined;
  return openDataset(validate.data, inputs, {
    baseDir,
    preprocess: preprocessOf(recipe.preprocess),
    ...(validate.samples === undefined ? {} : { samples: validate.samples }),
    trusted: context.trusted === true,
  });
}

export interface Accuracy {
  readonly report: AccuracyReport | null;
  readonly skipped: readonly Skipped[];
}

/**
 * Both models over all samples, at the level at which they are deployed. `null` where no output is a
 * classification.
 */
export async function measureAccuracy(
  models: { readonly fp32: OnnxModel; readonly int8: OnnxModel },
  dataset: Dataset,
  labelsFile: string | undefined,
  baseDir: string,
  context: JobContext,
): Promise<Accuracy> {
  const { signal, threads, onProgress } = context;
  const labels = labelsFile === undefined ? undefined : await readLabels(path.resolve(baseDir, labelsFile));
  const options = threads === undefined ? {} : { threads };
  const fp32 = await openSession(models.fp32, options);
  try {
    const int8 = await openSession(models.int8, options);
    try {
      const classification = new Classification();
      const progress = new RateMeter('evaluate', dataset.count, onProgress);
      for await (const { id, feeds } of dataset.samples(signal)) {
        const reference = scoresOf(await fp32.run(feeds));
        if (reference === undefined) return { report: null, skipped: dataset.skipped };
        classification.add(id, reference, scoresOf(await int8.run(feeds)), labels?.find(id));
        throwIfCancelled(signal);
        progress.step();
      }
      return { report: classification.result(), skipped: dataset.skipped };
    } finally {
      await int8.close();
    }
  } finally {
    await fp32.close();
  }
}

function scoresOf(outputs: Readonly<Record<string, Tensor>>): Float32Array | undefined {
  for (const tensor of Object.values(outputs)) {
    const scores = classScores(tensor);
    if (scores !== undefined) return scores;
  }
  return undefined;
}
