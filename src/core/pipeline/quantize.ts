/** The whole way of the data: model → plan → calibrate → convert → verify → analyze → report. */

import * as path from 'node:path';
import { QuantscopeError, throwIfCancelled, toQuantscopeError } from '../../shared/errors';
import { outputWarnings } from '../../shared/measured';
import { measuredAfter } from '../../shared/pending';
import { preprocessOf } from '../../shared/recipe';
import type { LatencyReport, Report } from '../../shared/report';
import { analyze, type Analysis } from '../analyze/analyze';
import { measureLatency } from '../benchmark/latency';
import { convert } from '../convert/convert';
import type { Conversion } from '../convert/types';
import { openDataset, SYNTHETIC } from '../data/dataset';
import { FeedsCache } from '../data/feedsCache';
import type { Dataset, Feeds, Skipped } from '../data/types';
import { PartErrors, withParts } from '../parts/partErrors';
import { randomness, randomWarnings } from '../reference/repeat';
import { unseeded } from '../reference/seed';
import { resultsFolder } from '../resultsFolder';
import { needsCalibration } from '../plan/types';
import { VERSION } from '../version';
import { kernelTimes } from '../verify/verify';
import { labelWarnings, measureAccuracy, NO_ACCURACY, openValidation, type Accuracy } from './accuracy';
import { calibrate, type Calibration } from './calibration';
import { prepare, type Prepared } from './prepare';
import { finiteWarnings } from './finite';
import { quantizedBefore, refuseQuantized } from './quantizedBefore';
import { rangesOf } from './ranges';
import { settle } from './settle';
import { makeResults, writeFirst, writeWhole } from './results';
import { nothingMeasured, runReport, type Figures } from './runReport';
import { skippedWarnings } from './skipped';
import { StageClock } from './stageClock';
import type { JobContext, QuantizeJob } from './types';

/** Pooled SQNR settles long before this many samples; the accuracy is measured on all of them. */
const ANALYSIS_SAMPLES = 64;
const DEFAULT_SAMPLES = 100;
const SATURATION_SAMPLES = 4;

/**
 * Quantizes a model and writes the int8 model, the report and the calibration cache into the output
 * folder: model and report as soon as the runtime has been asked what it runs, and the report again with the figures
 * that take longer. What ends the run in between leaves the first.
 */
export async function quantize(job: QuantizeJob, context: JobContext = {}): Promise<Report> {
  try {
    return await quantizeModel(job, context);
  } catch (error) {
    throw unfit(error, job.recipe.calibration?.data) ?? error;
  }
}

/** Random numbers are not what every model takes. */
function unfit(error: unknown, data: string | readonly string[] | undefined): QuantscopeError | undefined {
  if (data !== SYNTHETIC || !(error instanceof QuantscopeError) || error.code !== 'runtime-failed') return undefined;
  const hint =
    'Synthetic data are random numbers, which may not fit this model, such as indices beyond the end of a table: give real samples.';
  return new QuantscopeError(error.code, error.message, { hint, cause: error });
}

async function quantizeModel(job: QuantizeJob, context: JobContext): Promise<Report> {
  const { recipe, baseDir } = job;
  const stages = new StageClock(context.onProgress);
  const feedsCache = new FeedsCache(context.memoryCapBytes);
  const watched: JobContext = { ...context, feedsCache, onProgress: stages.onProgress };
  const planned = await prepare(recipe, baseDir, watched);
  refuseQuantized(planned);
  const outDir = path.resolve(baseDir, job.outDir ?? resultsFolder(planned.file));
  await makeResults(outDir);

  const warnings: string[] = [];
  const dataset = await openCalibrationData(job, planned, watched);
  // Before the long part: data or labels that cannot be read fail at once.
  const validation = await openValidation(recipe, planned.inputs, baseDir, watched);
  const source = validation?.dataset ?? dataset;
  const random = source === undefined ? null : await randomness(planned.model, source, watched);
  warnings.push(...randomWarnings(random));
  const calibration = await measure(dataset, job, planned, outDir, watched);
  const { ranges, dead } = rangesOf(planned, calibration.stats);
  if (dead.length > 0)
    warnings.push(`Calibration saw no finite value of ${dead.length} tensors: ${dead.slice(0, 5).join(', ')}.`);
  if (dataset?.kind === 'synthetic')
    warnings.push('Calibrated on synthetic data: the ranges are those of random numbers.');
  warnings.push(
    ...quantizedBefore(planned.original),
    ...finiteWarnings(planned, calibration.stats),
    ...isaWarnings(planned),
  );
  throwIfCancelled(context.signal);

  const { backend } = planned;
  const corrected = recipe.calibration?.biasCorrection ?? backend.biasCorrection;
  const feeds = await firstFeeds(validation?.dataset ?? dataset);
  const signal = context.signal === undefined ? {} : { signal: context.signal };
  const { prepared, conversion, verdicts, used } = await settle(planned, {
    convert: async (plan) => {
      stages.enter('convert');
      const conversion = await convert(planned.model, plan, {
        ranges,
        ...(corrected ? { means: calibration.means } : {}),
        convention: backend.convention,
        backend: backend.id,
        source: path.basename(planned.file),
        version: VERSION,
      });
      stages.enter('verify');
      return conversion;
    },
    use: (conversion, plan) =>
      kernelTimes({
        fp32: planned.model,
        conversion,
        plan,
        ...(feeds === undefined ? {} : { feeds }),
        threads: context.threads ?? 1,
        ...signal,
      }),
    ...signal,
  });
  const verification = { verdicts, ...used };
  warnings.push(...conversion.warnings);

  throwIfCancelled(context.signal);
  const file = path.join(outDir, `${path.basename(prepared.file, path.extname(prepared.file))}.int8.onnx`);
  const converted = { job, context, prepared, random, dataset, calibration, conversion, verification, outDir, file };
  const left = nothingMeasured(measuredAfter('verify'));
  const written = await writeFirst(file, unseeded(conversion.model), (files) =>
    runReport(converted, left, files, stages.finish(), warnings),
  );
  stages.tellWhatIsLeft();

  stages.enter('analyze');
  const { analysis, missed } = await analyzeErrors(job, prepared, conversion, watched);
  const judged = validation ?? (dataset === undefined ? undefined : { dataset, labels: undefined });
  warnings.push(...outputWarnings(analysis?.outputs ?? []));
  stages.enter('evaluate');
  const accuracy: Accuracy =
    judged === undefined
      ? NO_ACCURACY
      : await measureAccuracy(
          { fp32: prepared.model, int8: conversion.model },
          { ...judged, task: recipe.task },
          watched,
        );
  warnings.push(...labelWarnings(accuracy.report));
  stages.enter('benchmark');
  const latency = feeds === undefined ? null : await latencyOf(prepared, conversion, feeds, watched);
  // Without classes the accuracy is not of all samples, so that those of the analysis tell more.
  const skipped = accuracy.report === null ? missed : accuracy.skipped;
  if (validation !== undefined) warnings.push(...skippedWarnings(skipped));
  throwIfCancelled(context.signal);

  const measured: Figures = { analysis, accuracy, latency, skipped, pending: [] };
  return writeWhole(outDir, runReport(converted, measured, written, stages.finish(), warnings));
}

async function openCalibrationData(
  job: QuantizeJob,
  prepared: Prepared,
  context: JobContext,
): Promise<Dataset | undefined> {
  const { recipe, baseDir } = job;
  const { calibration } = recipe;
  if (calibration === undefined) {
    if (!needsCalibration(prepared.plan)) return undefined;
    throw new QuantscopeError('data-empty', 'Static quantization needs calibration data, and the recipe names none.');
  }
  return openDataset(calibration.data, prepared.inputs, {
    baseDir,
    preprocess: preprocessOf(recipe.preprocess),
    samples: calibration.samples ?? DEFAULT_SAMPLES,
    ...(calibration.seed === undefined ? {} : { seed: calibration.seed }),
    trusted: context.trusted === true,
    ...(context.feedsCache === undefined ? {} : { cache: context.feedsCache }),
  });
}

async function measure(
  dataset: Dataset | undefined,
  job: QuantizeJob,
  prepared: Prepared,
  outDir: string,
  context: JobContext,
): Promise<Calibration> {
  // The other modes take their ranges at run time, or need none.
  if (dataset === undefined || !needsCalibration(prepared.plan))
    return { stats: new Map(), means: new Map(), samples: 0, skipped: [], cached: false, key: '' };
  return calibrate(prepared, dataset, job.recipe, outDir, context);
}

async function firstFeeds(dataset: Dataset | undefined): Promise<Feeds | undefined> {
  if (dataset === undefined) return undefined;
  for await (const sample of dataset.samples()) return sample.feeds;
  return undefined;
}

async function analyzeErrors(
  job: QuantizeJob,
  prepared: Prepared,
  conversion: Conversion,
  context: JobContext,
): Promise<{ readonly analysis: Analysis | undefined; readonly missed: readonly Skipped[] }> {
  const { recipe, baseDir } = job;
  const source = recipe.validate ?? recipe.calibration;
  if (source === undefined) return { analysis: undefined, missed: [] };
  const samples = await openDataset(source.data, prepared.inputs, {
    baseDir,
    preprocess: preprocessOf(recipe.preprocess),
    samples: Math.min(source.samples ?? ANALYSIS_SAMPLES, ANALYSIS_SAMPLES),
    ...(recipe.calibration?.seed === undefined ? {} : { seed: recipe.calibration.seed }),
    trusted: context.trusted === true,
    ...(context.feedsCache === undefined ? {} : { cache: context.feedsCache }),
  });
  const parts = new PartErrors(prepared.graph, prepared.tensors);
  const analysis = await analyze({
    onOutputs: (sample, fp32, int8) => parts.add(sample, fp32, int8),
    fp32: prepared.model,
    conversion,
    plan: prepared.plan,
    tensors: prepared.tensors,
    samples,
    // Elsewhere the products are exact, and a rate would be that of another CPU.
    saturationSamples: prepared.isa.saturates ? SATURATION_SAMPLES : 0,
    ...(context.threads === undefined ? {} : { threads: context.threads }),
    ...(context.memoryCapBytes === undefined ? {} : { memoryCapBytes: context.memoryCapBytes }),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
  });
  return { analysis: { ...analysis, outputs: withParts(analysis.outputs, parts.result()) }, missed: samples.skipped };
}

/** A figure for the summary: a model that no second session opens for has none, and nothing else fails for it. */
async function latencyOf(
  prepared: Prepared,
  conversion: Conversion,
  feeds: Feeds,
  context: JobContext,
): Promise<LatencyReport | null> {
  try {
    return await measureLatency({ fp32: prepared.model, int8: conversion.model }, feeds, context);
  } catch (error) {
    throwIfCancelled(context.signal);
    context.log?.(`The latency was not measured: ${toQuantscopeError(error).message}`);
    return null;
  }
}

function isaWarnings({ isa, backend }: Prepared): string[] {
  const warnings: string[] = [];
  if (backend.id === 'ort-cpu' && isa.saturates !== isa.saturatesHere) {
    const made = isa.saturates ? 'without VNNI' : 'with VNNI or for ARM';
    warnings.push(`The model is made for CPUs ${made}; accuracy and times were measured on this one, which differs.`);
  }
  if (!backend.runsHere) {
    warnings.push(`Kernels, errors and times were measured with onnxruntime on this CPU, not on ${backend.title}.`);
  }
  return warnings;
}
