/** Quantization-aware training: by a function of the user's, else by distilling the fp32 model on the calibration data. */

import * as path from 'node:path';
import { z } from 'zod';
import type { Dataset } from '../core/data/types';
import type { JobContext, QuantizeJob } from '../core/pipeline/types';
import { distilledSchema } from './protocol';
import type { TorchWorker } from './worker';

const EPOCHS = 8;
const LEARNING_RATE = 1e-4;
/** As many passes without a better result end the training. */
const PATIENCE = 3;

export async function train(
  worker: TorchWorker,
  { recipe, baseDir }: QuantizeJob,
  dataset: Dataset,
  { signal, log }: JobContext,
): Promise<void> {
  const { train: reference, epochs = EPOCHS, 'learning-rate': rate = LEARNING_RATE } = recipe.torch ?? {};
  if (reference !== undefined) {
    await worker.ask(z.unknown(), { method: 'train', params: { reference, base: path.resolve(baseDir) } });
    return;
  }
  // The state before the first pass is the one to beat.
  let worse = 0;
  for (let epoch = 0; epoch <= epochs && worse < PATIENCE; epoch++) {
    const { loss, best } = await worker.ask(distilledSchema, {
      method: 'distill',
      params: { total: dataset.count, rate, learn: epoch > 0 },
      samples: dataset.samples(signal),
    });
    worse = best ? 0 : worse + 1;
    log?.(`training, pass ${epoch} of ${epochs}: loss ${loss?.toPrecision(4) ?? 'not finite'}${best ? ', best' : ''}`);
  }
  await worker.ask(z.unknown(), { method: 'distilled' });
}
