/** Accuracy and latency of the fp32 model beside the int8 model, both in the worker. */

import { z } from 'zod';
import { speedup } from '../core/benchmark/speedup';
import { summarize } from '../core/benchmark/statistics';
import type { Dataset } from '../core/data/types';
import { chooseClasses, type ClassChoice } from '../core/evaluate/classes';
import { Classification, classScores } from '../core/evaluate/classification';
import { readLabelsFor } from '../core/labels';
import type { Accuracy } from '../core/pipeline/accuracy';
import type { JobContext } from '../core/pipeline/types';
import type { Tensor } from '../core/tensor';
import type { Recipe } from '../shared/recipe';
import type { LatencyReport } from '../shared/report';
import { outputsEventSchema, timesSchema, type Scores } from './protocol';
import type { TorchWorker } from './worker';

/**
 * Of the first output; no report where nothing says that it is a classification.
 * @param withoutTraining of the int8 model as it would be without its training
 * @throws `labels-invalid` where labels and samples or classes do not fit
 */
export async function measureAccuracy(
  worker: TorchWorker,
  dataset: Dataset,
  { labels: labelFile, task }: { readonly labels: string | undefined; readonly task: Recipe['task'] },
  { signal }: JobContext,
  withoutTraining = false,
): Promise<Pick<Accuracy, 'report' | 'maybeClasses'>> {
  const labels = labelFile === undefined ? undefined : await readLabelsFor(labelFile, dataset.ids);
  const classification = new Classification();
  let choice: ClassChoice | undefined;
  const uneven: string[] = [];
  await worker.ask(z.unknown(), {
    method: 'evaluate',
    params: { total: dataset.count, ...(withoutTraining ? { without_training: true } : {}) },
    samples: dataset.samples(signal),
    onEvent: (event) => {
      if (event.event !== 'outputs') return;
      const { sample, fp32, int8 } = outputsEventSchema.parse(event);
      const [output, other] = [tensorOf(fp32), tensorOf(int8)];
      choice ??= chooseClasses(output === undefined ? {} : { output }, { labels, task });
      if (choice.chosen === null) return;
      const reference = output && classScores(output);
      if (reference === undefined) uneven.push(sample);
      else classification.add(sample, reference, other && classScores(other), labels?.find(sample));
    },
  });
  const { chosen = null, candidates = [] } = choice ?? {};
  if (chosen === null || uneven.length > 0) return { report: null, maybeClasses: candidates };
  return { report: { ...classification.result(), ...chosen }, maybeClasses: [] };
}

function tensorOf(scores: Scores): Tensor | undefined {
  if (scores === null) return undefined;
  return { type: 'float32', dims: scores.shape, data: Float32Array.from(scores.values, (value) => value ?? NaN) };
}

const WARMUP = 3;
const RUNS = 30;

/** Both models on the example input, on one thread, in turns; `null` where the int8 model has no int8 kernels. */
export async function measureLatency(worker: TorchWorker): Promise<LatencyReport | null> {
  const times = await worker.ask(timesSchema, { method: 'time', params: { warmup: WARMUP, runs: RUNS } });
  if (times === null) return null;
  const { fp32, int8 } = times;
  return {
    threads: 1,
    runs: RUNS,
    fp32: summarize(fp32).median,
    int8: summarize(int8).median,
    ...speedup(fp32, int8),
  };
}
