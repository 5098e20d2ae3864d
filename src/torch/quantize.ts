/** The way of the data for a PyTorch model: load → prepare → calibrate → convert → analyze → evaluate → verify → report. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { labelWarnings } from '../core/pipeline/accuracy';
import { StageClock } from '../core/pipeline/stageClock';
import type { JobContext, QuantizeJob } from '../core/pipeline/types';
import { replaceFiles } from '../core/files';
import { makeFolder } from '../core/folders';
import { REPORT_FILE } from '../core/reportFile';
import { modelName, resultsFolder } from '../core/resultsFolder';
import { removeStaleTemporaries } from '../core/staleFiles';
import { throwIfCancelled } from '../shared/errors';
import type { Report } from '../shared/report';
import { openData } from './data';
import { openWorker } from './environment';
import { measureAccuracy, measureLatency } from './measure';
import { loadModel, prepareModel, sourceOf } from './prepare';
import { analyzedSchema, calibratedSchema, convertedSchema, exportedSchema, type Check, type Loaded } from './protocol';
import { makeReport, type Files } from './report';
import { reproductionScript } from './reproduce';
import { settingsFor, settingsOf, settingsWarnings, type Settings } from './settings';
import { train } from './train';
import { convertUntrained, trainingWarnings, untrainedAccuracy } from './untrained';
import { verifySaved } from './verify';
import type { TorchWorker } from './worker';

/**
 * Quantizes a PyTorch model and writes the int8 TorchScript (in mode pt2e the exported program), the report and the
 * script that reproduces it into the output folder. Nothing is written of the model or the report before everything
 * has succeeded.
 * @throws `torch-untrusted` before any Python is started
 */
export async function quantizeTorch(job: QuantizeJob, context: JobContext = {}): Promise<Report> {
  const { recipe, baseDir } = job;
  const asked = settingsOf(recipe);
  const stages = new StageClock(context.onProgress);
  const watched: JobContext = { ...context, onProgress: stages.onProgress };
  stages.enter('read');
  const { worker, check } = await openWorker(recipe.torch?.python, baseDir, watched);
  try {
    const settings = settingsFor(asked, check);
    return await new TorchRun(job, settings, watched, stages, worker, check).run();
  } finally {
    await worker.close();
  }
}

class TorchRun {
  readonly #job: QuantizeJob;
  readonly #settings: Settings;
  readonly #context: JobContext;
  readonly #stages: StageClock;
  readonly #worker: TorchWorker;
  readonly #check: Check;

  constructor(
    job: QuantizeJob,
    settings: Settings,
    context: JobContext,
    stages: StageClock,
    worker: TorchWorker,
    check: Check,
  ) {
    this.#job = job;
    this.#settings = settings;
    this.#context = context;
    this.#stages = stages;
    this.#worker = worker;
    this.#check = check;
  }

  async run(): Promise<Report> {
    const { baseDir, recipe } = this.#job;
    const name = modelName(recipe.model);
    const outDir = path.resolve(baseDir, this.#job.outDir ?? resultsFolder(recipe.model, 'torch'));
    const runs = path.join(outDir, 'runs');
    await makeFolder(runs);
    for (const folder of [outDir, runs]) await removeStaleTemporaries(folder);
    const [target, other] = targetsOf(path.join(outDir, `${name}.int8`), this.#settings);
    const onnx = path.join(outDir, `${name}.int8.onnx`);
    return replaceFiles(async (files) => {
      const [written, exported] = [files.reserve(target), files.reserve(onnx)];
      const { report, script } = await this.#measure(written, target, exported);
      throwIfCancelled(this.#context.signal);
      const text = `${JSON.stringify(report, null, 1)}\n`;
      await files.write(path.join(outDir, 'reproduce.py'), script);
      await files.write(path.join(runs, `${report.created.replaceAll(':', '-')}.json`), text);
      await files.write(path.join(outDir, REPORT_FILE), text);
      // Of an earlier run, it would not be the model of this report.
      if (!existsSync(exported)) await rm(onnx, { force: true });
      await rm(other, { force: true });
      return report;
    });
  }

  async #measure(
    temporary: string,
    target: string,
    onnx: string,
  ): Promise<{ readonly report: Report; readonly script: string }> {
    const { recipe, baseDir } = this.#job;
    const worker = this.#worker;
    const { signal } = this.#context;
    const loaded = await loadModel(worker, this.#job, this.#settings, this.#context.threads);
    const data = await openData(this.#job, loaded, worker, this.#context);
    this.#stages.enter('plan');
    const { prepared, overrides } = await prepareModel(worker, recipe, this.#settings, data.calibration, signal);
    if (this.#settings.mode !== 'dynamic') {
      await worker.ask(calibratedSchema, {
        method: 'calibrate',
        params: { total: data.calibration.count },
        samples: data.calibration.samples(signal),
      });
    }
    if (this.#settings.mode === 'qat') {
      this.#stages.enter('train');
      await train(worker, this.#job, data.calibration, this.#context);
    }
    this.#stages.enter('convert');
    await worker.ask(convertedSchema, { method: 'convert', params: { path: temporary } });
    if (this.#settings.mode === 'qat') await convertUntrained(worker, data.calibration, this.#context);
    this.#stages.enter('analyze');
    const analyzed = await worker.ask(analyzedSchema, {
      method: 'analyze',
      params: { total: data.analysis.count },
      samples: data.analysis.samples(signal),
    });
    this.#stages.enter('evaluate');
    const { labels, judged } = data;
    const classes = await measureAccuracy(worker, judged, { labels, task: recipe.task }, this.#context);
    const accuracy = classes.report;
    const untrained = await untrainedAccuracy(worker, recipe, accuracy, data, this.#context);
    this.#stages.enter('benchmark');
    const latency = await measureLatency(worker);
    this.#stages.enter('verify');
    const saved = await verifySaved(worker, temporary, this.#settings, this.#check, data.analysis, {
      inputs: loaded.inputs,
      baseDir,
      context: this.#context,
    });
    const exported = recipe.torch?.onnx === true ? await exportOnnx(worker, onnx) : [];
    const warnings = [
      ...settingsWarnings(this.#settings),
      ...labelWarnings(accuracy),
      ...trainingWarnings(recipe, analyzed, { trained: accuracy, untrained }),
      ...saved,
      ...exported,
    ];
    const report = makeReport({
      job: this.#job,
      settings: this.#settings,
      check: this.#check,
      files: await filesOf(loaded, temporary, target),
      loaded,
      prepared,
      analyzed,
      accuracy,
      maybeClasses: classes.maybeClasses,
      latency,
      data,
      overrides,
      warnings,
      threads: this.#context.threads ?? loaded.threads,
      seconds: this.#stages.finish(),
    });
    return {
      report,
      script: await reproductionScript(worker, this.#job, loaded, data.calibration, path.dirname(target)),
    };
  }
}

/** The file that the mode writes, and that which another mode would have written. */
function targetsOf(base: string, { mode }: Settings): readonly [string, string] {
  const [script, program] = [`${base}.pt`, `${base}.pt2`];
  return mode === 'pt2e' ? [program, script] : [script, program];
}

/** Warnings where it could not be written, which the int8 model does not suffer from. */
async function exportOnnx(worker: TorchWorker, file: string): Promise<string[]> {
  const { problem } = await worker.ask(exportedSchema, { method: 'export', params: { path: file } });
  if (problem === null) return [];
  await rm(file, { force: true });
  return [`The int8 model could not be written as ONNX: ${problem}`];
}

async function filesOf(loaded: Loaded, written: string, target: string): Promise<Files> {
  const int8 = await readFile(written);
  return {
    ...(await sourceOf(loaded)),
    target,
    targetBytes: int8.length,
    targetSha256: createHash('sha256').update(int8).digest('hex'),
  };
}
