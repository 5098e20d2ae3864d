/** The saved int8 model is loaded by a fresh process, as its users will, and must compute what it did in memory. */

import { z } from 'zod';
import type { Dataset } from '../core/data/types';
import type { JobContext } from '../core/pipeline/types';
import { QuantscopeError } from '../shared/errors';
import { firstOf } from './data';
import { loadedSchema, ranEventSchema, type Check, type Loaded, type Scores } from './protocol';
import { engineToUse, type Settings } from './settings';
import { TorchWorker } from './worker';

/** So many samples tell whether a written model computes what it did before. */
export const VERIFIED_SAMPLES = 4;

/**
 * Warnings where the two differ.
 * @throws `torch-failed` where the saved model does not load
 */
export async function verifySaved(
  worker: TorchWorker,
  file: string,
  settings: Settings,
  { executable }: Check,
  dataset: Dataset,
  {
    inputs,
    baseDir,
    context,
  }: { readonly inputs: Loaded['inputs']; readonly baseDir: string; readonly context: JobContext },
): Promise<string[]> {
  const expected = await outputsOf(worker, 'int8', dataset, context);
  // Its own progress says nothing of the run's.
  const quiet: JobContext = { ...context, onProgress: () => undefined };
  const fresh = new TorchWorker(executable, baseDir, quiet);
  try {
    await fresh.ask(loadedSchema, {
      method: 'load',
      params: {
        ...{ model: file, weights: null, base: baseDir },
        // Int8 weights are packed, and tell nothing of what the model takes.
        inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
        ...{ threads: context.threads ?? null, engine: engineToUse(settings) },
      },
    });
    const found = await outputsOf(fresh, 'loaded', dataset, context);
    const differing = [...expected].filter(([sample, values]) => !same(values, found.get(sample)));
    if (differing.length === 0) return [];
    return [
      `The saved model computes other values than in memory for ${differing.length} of ${expected.size} samples, first ${differing[0]![0]}: do not ship it.`,
    ];
  } finally {
    await fresh.close();
  }
}

/** The first output of a model for a few samples, by their ids. */
export async function outputsOf(
  worker: TorchWorker,
  model: 'int8' | 'loaded',
  dataset: Dataset,
  { signal }: JobContext,
): Promise<Map<string, Scores>> {
  const outputs = new Map<string, Scores>();
  await worker.ask(z.unknown(), {
    method: 'run',
    params: { model },
    samples: firstOf(dataset, VERIFIED_SAMPLES, signal),
    onEvent: (event) => {
      if (event.event !== 'ran') return;
      const { sample, output } = ranEventSchema.parse(event);
      outputs.set(sample, output);
    },
  });
  if (outputs.size === 0) throw new QuantscopeError('data-empty', 'There is no sample to verify the saved model with.');
  return outputs;
}

function same(a: Scores, b: Scores | undefined): boolean {
  if (a === null || b === null || b === undefined) return a === b;
  return a.values.length === b.values.length && a.values.every((value, i) => Object.is(value, b.values[i]));
}
