/** Whether a training was worth it: its model beside the one that the same recipe gives with `mode: static`. */

import { z } from 'zod';
import type { Dataset } from '../core/data/types';
import type { JobContext } from '../core/pipeline/types';
import { decibels, percent } from '../shared/format';
import { comparedOf } from '../shared/measured';
import type { Recipe } from '../shared/recipe';
import type { AccuracyReport } from '../shared/report';
import type { RecipeData } from './data';
import { measureAccuracy } from './measure';
import type { Analyzed, OutputErrors } from './protocol';
import { trainingOf } from './train';
import type { TorchWorker } from './worker';

/** Two calibrations of one model differ by less. */
const NOTEWORTHY_DB = 0.5;

/** Makes the int8 model without training, which is then compared where the trained one is. */
export async function convertUntrained(
  worker: TorchWorker,
  calibration: Dataset,
  { signal }: JobContext,
): Promise<void> {
  const params = { total: calibration.count };
  await worker.ask(z.unknown(), { method: 'untrained', params, samples: calibration.samples(signal) });
}

/** `null` where no accuracy is the measure: see {@link trainingWarnings}. */
export async function untrainedAccuracy(
  worker: TorchWorker,
  recipe: Recipe,
  trained: AccuracyReport | null,
  { judged, labels }: RecipeData,
  context: JobContext,
): Promise<AccuracyReport | null> {
  const isMeasure = recipe.mode === 'qat' && trainingOf(recipe).train !== null && (trained?.top1 ?? null) !== null;
  if (!isMeasure) return null;
  return (await measureAccuracy(worker, judged, { labels, task: recipe.task }, context, true)).report;
}

/**
 * Says where training made the model worse, with both figures. It is judged by what it was for: the distillation by how
 * near the outputs come to the fp32 model's (SQNR), a function of the user's, which may well leave the fp32 model for a
 * better one, by top-1. Without labels nothing can be said of it. Pure.
 */
export function trainingWarnings(
  recipe: Recipe,
  { outputs, untrained }: Pick<Analyzed, 'outputs' | 'untrained'>,
  accuracy: { readonly trained: AccuracyReport | null; readonly untrained: AccuracyReport | null },
): string[] {
  if (untrained === null) return [];
  const isOwn = trainingOf(recipe).train !== null;
  const figures = isOwn ? worseTop1(accuracy.trained, accuracy.untrained) : worseOutputs(outputs, untrained);
  if (figures === undefined) return [];
  return [
    `Training made the int8 model worse than calibration alone: ${figures}. ${isOwn ? OWN_ADVICE : adviceOf(recipe)}`,
  ];
}

const OWN_ADVICE = 'Use `mode: static`, or have `torch.train` take smaller steps and keep its best state.';

function adviceOf({ calibration }: Recipe): string {
  const { observer = 'moving-average' } = calibration ?? {};
  const instead =
    observer === 'moving-average'
      ? 'another `calibration.observer`, whose ranges then stay as they are'
      : 'leave `calibration.observer` out, so that the ranges follow the weights';
  return `Use \`mode: static\`, or train with a lower \`torch.learning-rate\` or more \`torch.epochs\`, or ${instead}.`;
}

function worseOutputs(trained: OutputErrors, untrained: OutputErrors): string | undefined {
  const [after, before] = [comparedOf(trained[0]?.error)?.sqnr, comparedOf(untrained[0]?.error)?.sqnr];
  if (after === undefined || before === undefined) return undefined;
  if ((before ?? Infinity) - (after ?? Infinity) < NOTEWORTHY_DB || after === null) return undefined;
  return `the outputs have ${decibels(after)} trained, ${decibels(before)} without`;
}

function worseTop1(trained: AccuracyReport | null, untrained: AccuracyReport | null): string | undefined {
  const [after, before] = [trained?.top1?.int8, untrained?.top1?.int8];
  if (after === undefined || before === undefined || after >= before) return undefined;
  return `top-1 is ${percent(after)} trained, ${percent(before)} without`;
}
