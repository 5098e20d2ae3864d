/** fp32 beside int8 on the validation samples: top-1, top-5 and agreement. */

import * as path from 'node:path';
import { throwIfCancelled } from '../../shared/errors';
import { plural } from '../../shared/format';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import type { AccuracyReport } from '../../shared/report';
import { openDataset } from '../data/dataset';
import type { Dataset, Skipped } from '../data/types';
import { chooseClasses, type ClassChoice } from '../evaluate/classes';
import { Classification, classScores } from '../evaluate/classification';
import { readLabelsFor, type Labels } from '../labels';
import { Graph } from '../onnx/graph';
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
    ...(context.feedsCache === undefined ? {} : { cache: context.feedsCache }),
  });
  const { labels } = validate;
  return {
    dataset,
    labels: labels === undefined ? undefined : await readLabelsFor(path.resolve(baseDir, labels), dataset.ids),
  };
}

/** Where nothing was judged, or not yet. */
export const NO_ACCURACY: Accuracy = { report: null, maybeClasses: [], skipped: [] };

export interface Accuracy {
  readonly report: AccuracyReport | null;
  /** Without a report: outputs that may hold the scores of classes, though nothing says so. */
  readonly maybeClasses: readonly string[];
  readonly skipped: readonly Skipped[];
}

/**
 * Both models over all samples, at the level at which they are deployed. No report where no output is a
 * classification.
 * @throws `labels-invalid` where a label has no class
 */
export async function measureAccuracy(
  models: { readonly fp32: OnnxModel; readonly int8: OnnxModel },
  { dataset, labels, task }: Validation & Pick<Recipe, 'task'>,
  context: JobContext,
): Promise<Accuracy> {
  const { signal, threads, onProgress } = context;
  const options = threads === undefined ? {} : { threads };
  const fp32 = await openDeployed(models.fp32, options);
  try {
    const int8 = await openDeployed(models.int8, options);
    try {
      const classification = new Classification();
      const graph = new Graph(models.fp32);
      let choice: ClassChoice | undefined;
      const progress = new RateMeter('evaluate', dataset.count, onProgress);
      for await (const { id, feeds } of dataset.samples(signal)) {
        const outputs = await fp32.run(feeds);
        const batch = Object.values(feeds)[0]?.dims[0];
        choice ??= chooseClasses(outputs, { labels, task, graph, batch });
        if (choice.chosen === null) return { report: null, maybeClasses: choice.candidates, skipped: dataset.skipped };
        const { output } = choice.chosen;
        const reference = scoresOf(outputs, output);
        // As large as what the model finds: not one score for each class.
        if (reference === undefined) return { report: null, maybeClasses: [], skipped: dataset.skipped };
        classification.add(id, reference, scoresOf(await int8.run(feeds), output), labels?.find(id));
        throwIfCancelled(signal);
        progress.step();
      }
      const chosen = choice?.chosen ?? {};
      return { report: { ...classification.result(), ...chosen }, maybeClasses: [], skipped: dataset.skipped };
    } finally {
      await int8.close();
    }
  } finally {
    await fp32.close();
  }
}

function scoresOf(outputs: Readonly<Record<string, Tensor>>, output: string): Float32Array | undefined {
  const tensor = outputs[output];
  return tensor === undefined ? undefined : classScores(tensor);
}

/** Where the accuracy is of fewer samples than it seems to be. */
export function labelWarnings(accuracy: AccuracyReport | null): string[] {
  if (accuracy?.labelled === undefined) return [];
  const { labelled, samples } = accuracy;
  return [`Of ${plural(samples, 'validation sample')} only ${labelled} have a label: the accuracy is that of those.`];
}
