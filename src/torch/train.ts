/** Quantization-aware training: by a function of the user's, else by distilling the fp32 model on the calibration data. */

import * as path from 'node:path';
import { z } from 'zod';
import type { Dataset } from '../core/data/types';
import type { JobContext, QuantizeJob } from '../core/pipeline/types';
import type { Recipe } from '../shared/recipe';
import { distilledSchema } from './protocol';
import type { TorchWorker } from './worker';

const EPOCHS = 10;
const LEARNING_RATE = 5e-4;

export interface Training {
  /** A function of the user's; `null` for distillation. */
  readonly train: string | null;
  /** Of the distillation: the most passes, and the rate at which it begins. */
  readonly epochs: number;
  readonly rate: number;
}

export function trainingOf({ torch }: Recipe): Training {
  const { train: reference = null, epochs = EPOCHS, 'learning-rate': rate = LEARNING_RATE } = torch ?? {};
  return { train: reference, epochs, rate };
}

export async function train(
  worker: TorchWorker,
  { recipe, baseDir }: QuantizeJob,
  dataset: Dataset,
  { signal, log }: JobContext,
): Promise<void> {
  const { train: reference, epochs, rate } = trainingOf(recipe);
  if (reference !== null) {
    await worker.ask(z.unknown(), { method: 'train', params: { reference, base: path.resolve(baseDir) } });
    return;
  }
  for (;;) {
    const { epoch, loss, best, ended } = await worker.ask(distilledSchema, {
      method: 'distill',
      params: { total: dataset.count, rate, epochs },
      samples: dataset.samples(signal),
    });
    log?.(`training, pass ${epoch} of ${epochs}: loss ${loss?.toPrecision(4) ?? 'not finite'}${best ? ', best' : ''}`);
    if (ended) return;
  }
}
