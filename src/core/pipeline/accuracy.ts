/** fp32 beside int8 on the validation samples: top-1, top-5 and agreement. */

import * as path from 'node:path';
import { throwIfCancelled } from '../../shared/errors';
import { plural } from '../../shared/format';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import type { AccuracyReport } from '../../shared/report';
import { openDataset } from '../data/dataset';
import type { Dataset, Skipped } from '../data/types';
import { Classification, classScores } from '../evaluate/classification';
import { checkClasses, readLabelsFor, type Labels } from '../labels';
import type { OnnxModel } from '../onnx/model';
import { RateMeter } from '../rate';
import { openDeployed } from '../runtime/deployed';
import type { TensorInfo } from '../runtime/session';
import type { Tensor } from '../tensor';
import type { JobContext } from './types';

export interface Validation {
  readonly dataset: Dataset;
  readonly labels: Labels | undefined;
}

/**
 * The samples the recipe validates on; `undefined` where it names none.
 * @throws `labels-invalid`, `file-not-found`, what opening the data throws
 */
export async function openValidation(
  recipe: Recipe,
  inputs: readonly TensorInfo[],
  baseDir: string,
  context: JobContext,
): Promise<Validation | undefined> {
  const { validate } = recipe;
  if (validate === undefined) return undefined;
  const dataset = await openDataset(validate.data, inputs, {
    baseDir,
    preprocess: preprocessOf(recipe.preprocess),
    ...(validate.samples === undefined ? {} : { samples: validate.samples }),
    trusted: context.trusted === true,
  });
  const { labels } = validate;
  return {
    dataset,
    labels: labels === undefined ? undefined : await readLabelsFor(path.resolve(baseDir, labels), dataset.ids),
  };
}

export interface Accuracy {
  readonly report: AccuracyReport | null;
  readonly skipped: readonly Skipped[];
}

/**
 * Both models over all samples, at the level at which they are deployed. `null` where no output is a
 * classification.
 * @throws `labels-invalid` where a label has no class
 */
export async function measureAccuracy(
  models: { readonly fp32: OnnxModel; readonly int8: OnnxModel },
  { dataset, labels }: Validation,
  context: JobContext,
): Promise<Accuracy> {
  const { signal, threads, onProgress } = context;
  const options = threads === undefined ? {} : { threads };
  const fp32 = await openDeployed(models.fp32, options);
  try {
    const int8 = await openDeployed(models.int8, options);
    try {
      const classification = new Classification();
      const progress = new RateMeter('evaluate', dataset.count, onProgress);
      for await (const { id, feeds } of dataset.samples(signal)) {
        const reference = scoresOf(await fp32.run(feeds), labels);
        if (reference === undefined) return { report: null, skipped: dataset.skipped };
        classification.add(id, reference, scoresOf(await int8.run(feeds), labels), labels?.find(id));
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

/** Of the first output with a class for every label; without labels, of the first with classes. */
function scoresOf(outputs: Readonly<Record<string, Tensor>>, labels: Labels | undefined): Float32Array | undefined {
  const all = Object.values(outputs).flatMap((tensor) => classScores(tensor) ?? []);
  const [widest] = all.toSorted((a, b) => b.length - a.length);
  if (labels === undefined || widest === undefined) return all[0];
  checkClasses(labels, widest.length, 'the model');
  return all.find(({ length }) => length > labels.highest);
}

/** Where the accuracy is of fewer samples than it seems to be. */
export function labelWarnings(accuracy: AccuracyReport | null): string[] {
  if (accuracy?.labelled === undefined) return [];
  const { labelled, samples } = accuracy;
  return [`Of ${plural(samples, 'validation sample')} only ${labelled} have a label: the accuracy is that of those.`];
}
