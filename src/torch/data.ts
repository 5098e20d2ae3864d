/** The datasets of a recipe, fitted to the inputs of a PyTorch model. */

import * as path from 'node:path';
import { openDataset } from '../core/data/dataset';
import type { Dataset, Sample } from '../core/data/types';
import type { JobContext, QuantizeJob } from '../core/pipeline/types';
import { QuantscopeError } from '../shared/errors';
import { preprocessOf } from '../shared/recipe';
import { loaderOf } from '../shared/torchLoader';
import { gatheredSchema, type Loaded } from './protocol';
import type { TorchWorker } from './worker';

const DEFAULT_SAMPLES = 100;
/** Pooled SQNR settles long before this many samples; the accuracy is measured on all of them. */
const ANALYSIS_SAMPLES = 64;
/** Of a loader that may have no end, where the recipe does not say how many samples to take. */
const MOST_GATHERED = 1000;

export interface RecipeData {
  readonly calibration: Dataset;
  /** Of the recipe's `validate`, else those of the calibration: what accuracy is measured on. */
  readonly judged: Dataset;
  readonly analysis: Dataset;
  /** The file with the classes of the judged samples, absolute; `undefined` where there is none. */
  readonly labels: string | undefined;
}

interface Opened {
  readonly dataset: Dataset;
  readonly labels?: string;
}

/** @throws `data-empty` where the recipe names no data; what {@link openDataset} throws */
export async function openData(
  { recipe, baseDir }: QuantizeJob,
  { inputs }: Pick<Loaded, 'inputs'>,
  worker: TorchWorker,
  context: JobContext,
): Promise<RecipeData> {
  const { calibration, validate } = recipe;
  if (calibration === undefined) {
    throw new QuantscopeError('data-empty', 'The recipe names no calibration data.');
  }
  const open = async (data: string | readonly string[], samples: number | undefined): Promise<Opened> => {
    const loader = loaderOf(data);
    if (loader !== undefined) return gather(worker, loader, baseDir, inputs, samples ?? MOST_GATHERED);
    const dataset = await openDataset(data, inputs, {
      baseDir,
      preprocess: preprocessOf(recipe.preprocess),
      ...(samples === undefined ? {} : { samples }),
      ...(calibration.seed === undefined ? {} : { seed: calibration.seed }),
      trusted: context.trusted === true,
    });
    return { dataset };
  };
  const calibrated = await open(calibration.data, calibration.samples ?? DEFAULT_SAMPLES);
  const source = validate ?? { data: calibration.data, samples: calibration.samples ?? DEFAULT_SAMPLES };
  const judged = validate === undefined ? calibrated : await open(validate.data, validate.samples);
  const analysis = await open(source.data, Math.min(source.samples ?? ANALYSIS_SAMPLES, ANALYSIS_SAMPLES));
  const labels = validate?.labels === undefined ? judged.labels : path.resolve(baseDir, validate.labels);
  return { calibration: calibrated.dataset, judged: judged.dataset, analysis: analysis.dataset, labels };
}

/** The samples of a user's own DataLoader, which only Python can run, through files: they are read several times. */
async function gather(
  worker: TorchWorker,
  reference: string,
  baseDir: string,
  inputs: Loaded['inputs'],
  limit: number,
): Promise<Opened> {
  const folder = await worker.folder();
  const params = { reference, base: path.resolve(baseDir), folder, limit };
  const { count, labelled } = await worker.ask(gatheredSchema, { method: 'gather', params });
  if (count === 0) throw new QuantscopeError('data-empty', `${reference} gives no samples.`);
  const found = await openDataset(path.join(folder, '*.npz'), inputs, { baseDir, preprocess: {} });
  const dataset: Dataset = {
    ...{ kind: found.kind, count: found.count, ids: found.ids },
    description: `${count} samples of ${reference}`,
    samples: (signal) => found.samples(signal),
    get skipped() {
      return found.skipped;
    },
    fingerprint: () => found.fingerprint(),
  };
  return { dataset, ...(labelled ? { labels: path.join(folder, 'labels.tsv') } : {}) };
}

/** The first so many samples. */
export async function* firstOf(dataset: Dataset, count: number, signal?: AbortSignal): AsyncGenerator<Sample> {
  let left = count;
  for await (const sample of dataset.samples(signal)) {
    yield sample;
    if (--left === 0) return;
  }
}
