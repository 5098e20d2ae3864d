/** Accuracy and latency of the fp32 model beside the int8 model, both in the worker. */

import { z } from 'zod';
import { pairedRatio, summarize } from '../core/benchmark/statistics';
import type { Dataset } from '../core/data/types';
import { Classification, classScores } from '../core/evaluate/classification';
import { checkClasses, readLabelsFor } from '../core/labels';
import type { JobContext } from '../core/pipeline/types';
import type { AccuracyReport, LatencyReport } from '../shared/report';
import { outputsEventSchema, timesSchema, type Scores } from './protocol';
import type { TorchWorker } from './worker';

/**
 * `null` where the first output is no classification.
 * @param withoutTraining of the int8 model as it would be without its training
 * @throws `labels-invalid` where labels and samples or classes do not fit
 */
export async function measureAccuracy(
  worker: TorchWorker,
  dataset: Dataset,
  labelFile: string | undefined,
  { signal }: JobContext,
  withoutTraining = false,
): Promise<AccuracyReport | null> {
  const labels = labelFile === undefined ? undefined : await readLabelsFor(labelFile, dataset.ids);
  const classification = new Classification();
  const unclassified: string[] = [];
  let classes = Infinity;
  await worker.ask(z.unknown(), {
    method: 'evaluate',
    params: { total: dataset.count, ...(withoutTraining ? { without_training: true } : {}) },
    samples: dataset.samples(signal),
    onEvent: (event) => {
      if (event.event !== 'outputs') return;
      const { sample, fp32, int8 } = outputsEventSchema.parse(event);
      const reference = scoresOf(fp32);
      if (reference === undefined) {
        unclassified.push(sample);
        return;
      }
      classes = Math.min(classes, reference.length);
      classification.add(sample, reference, scoresOf(int8), labels?.find(sample));
    },
  });
  if (labels !== undefined && unclassified.length === 0) checkClasses(labels, classes, 'the model');
  return unclassified.length > 0 ? null : classification.result();
}

function scoresOf(scores: Scores): Float32Array | undefined {
  if (scores === null) return undefined;
  const data = Float32Array.from(scores.values, (value) => value ?? NaN);
  return classScores({ type: 'float32', dims: scores.shape, data });
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
    ratio: pairedRatio(fp32, int8),
  };
}
