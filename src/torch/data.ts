/** The datasets of a recipe, fitted to the inputs of a PyTorch model. */

import { openDataset } from '../core/data/dataset';
import type { Dataset, Sample } from '../core/data/types';
import type { JobContext, QuantizeJob } from '../core/pipeline/types';
import { QuantscopeError } from '../shared/errors';
import { preprocessOf } from '../shared/recipe';
import type { Loaded } from './protocol';

const DEFAULT_SAMPLES = 100;
/** Pooled SQNR settles long before this many samples; the accuracy is measured on all of them. */
const ANALYSIS_SAMPLES = 64;

export interface RecipeData {
  readonly calibration: Dataset;
  /** Of the recipe's `validate`, else those of the calibration: what accuracy is measured on. */
  readonly judged: Dataset;
  readonly analysis: Dataset;
}

/** @throws `data-empty` where the recipe names no data; what {@link openDataset} throws */
export async function openData(
  { recipe, baseDir }: QuantizeJob,
  { inputs }: Pick<Loaded, 'inputs'>,
  context: JobContext,
): Promise<RecipeData> {
  const { calibration, validate } = recipe;
  if (calibration === undefined) {
    throw new QuantscopeError('data-empty', 'The recipe names no calibration data.');
  }
  const open = (data: string | readonly string[], samples: number | undefined): Promise<Dataset> =>
    openDataset(data, inputs, {
      baseDir,
      preprocess: preprocessOf(recipe.preprocess),
      ...(samples === undefined ? {} : { samples }),
      ...(calibration.seed === undefined ? {} : { seed: calibration.seed }),
      trusted: context.trusted === true,
    });
  const calibrated = await open(calibration.data, calibration.samples ?? DEFAULT_SAMPLES);
  const source = validate ?? { data: calibration.data, samples: calibration.samples ?? DEFAULT_SAMPLES };
  return {
    calibration: calibrated,
    judged: validate === undefined ? calibrated : await open(validate.data, validate.samples),
    analysis: await open(source.data, Math.min(source.samples ?? ANALYSIS_SAMPLES, ANALYSIS_SAMPLES)),
  };
}

/** The first so many samples. */
export async function* firstOf(dataset: Dataset, count: number, signal?: AbortSignal): AsyncGenerator<Sample> {
  let left = count;
  for await (const sample of dataset.samples(signal)) {
    yield sample;
    if (--left === 0) return;
  }
}
