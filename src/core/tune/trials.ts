/**
 * Trials: what the int8 model of another recipe would be like, without writing anything. Model, data,
 * calibration and the fp32 results are shared by all of them, and each is compared with the first, sample
 * by sample, so that small differences can be told from noise.
 */

import * as path from 'node:path';
import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { Difference, Price } from '../../shared/price';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import { nothingToCompare } from '../analyze/errors';
import { convert } from '../convert/convert';
import type { Conversion } from '../convert/types';
import { TIMING_FLOOR } from '../benchmark/speedup';
import { openDataset } from '../data/dataset';
import type { Dataset, Feeds } from '../data/types';
import { chooseClasses, type ClassChoice } from '../evaluate/classes';
import { argmax, classScores } from '../evaluate/classification';
import { readLabelsFor } from '../labels';
import { serializeModel, type OnnxModel } from '../onnx/model';
import { calibrateTrial } from '../pipeline/calibration';
import { OutputParts, type Outputs } from '../parts/outputParts';
import { UnitSums } from '../parts/unitSums';
import { quantizedShare } from '../pipeline/macs';
import { prepare, type Prepared } from '../pipeline/prepare';
import { rangesOf } from '../pipeline/ranges';
import { settle, type Settled } from '../pipeline/settle';
import type { JobContext, QuantizeJob } from '../pipeline/types';
import { needsCalibration } from '../plan/types';
import { assertRepeats } from '../reference/repeat';
import { openSession, type Session } from '../runtime/session';
import { bytesPerElement, isFloatType, toFloat32, type Tensor } from '../tensor';
import { kernelTimes } from '../verify/verify';
import { VERSION } from '../version';
import { bootstrap, pairedShare } from '../benchmark/bootstrap';
import { MOST_ROUNDS, pairedRatios } from './race';

export const DEFAULT_SAMPLES = 100;
/** Decoded samples that are kept; more are read again for every trial. */
const FEEDS_CAP_BYTES = 256 * 2 ** 20;
/** dB of the rounding of float32 itself, 20·log10(2²⁴): a fix cannot bring more, not even without any error. */
const MOST_SQNR = 144.5;

/** The int8 model of one recipe, and what came of it. */
export interface Trial {
  readonly recipe: Recipe;
  readonly model: OnnxModel;
  readonly bytes: number;
  /** Share of the multiply-adds that the plan runs in int8, percent. */
  readonly macs: number;
  /** Pooled over the samples at the worst part of the outputs, dB; `Infinity` without any error. */
  readonly sqnr: number;
  /** Percent. */
  readonly agreement: number | null;
  readonly top1: number | null;
  readonly perSample: PerSample;
}

/** One entry a sample. */
interface PerSample {
  readonly errors: UnitSums;
  readonly agrees: Uint8Array | null;
  readonly correct: Uint8Array | null;
}

interface Reference {
  readonly id: string;
  readonly feeds: Feeds | undefined;
  /** Those of floats. */
  readonly outputs: Outputs;
  readonly scores: Float32Array | undefined;
  readonly label: number | undefined;
}

export interface TrialOptions {
  /** Samples to judge by, of the validation data where the recipe names some. Default 100. */
  readonly samples?: number;
  /** Time each trial beside the first. */
  readonly timed?: boolean;
  readonly seed?: number;
}

export class Trials {
  readonly #job: QuantizeJob;
  readonly #outDir: string;
  readonly #context: JobContext;
  readonly #options: TrialOptions;
  readonly #dataset: Dataset;
  readonly #references: readonly Reference[];
  readonly #fp32: OnnxModel;
  readonly #top1Fp32: number | null;
  /** What is measured apart at the outputs. */
  readonly parts: OutputParts;
  /** The output that holds the scores of classes. */
  readonly #classes: string | undefined;

  private constructor(
    job: QuantizeJob,
    outDir: string,
    context: JobContext,
    options: TrialOptions,
    shared: {
      readonly fp32: OnnxModel;
      readonly dataset: Dataset;
      readonly references: readonly Reference[];
      readonly classes: string | undefined;
      readonly parts: OutputParts;
    },
  ) {
    const { fp32, dataset, references, classes, parts } = shared;
    this.parts = parts;
    this.#classes = classes;
    this.#job = job;
    this.#outDir = outDir;
    this.#context = context;
    this.#options = options;
    this.#fp32 = fp32;
    this.#dataset = dataset;
    this.#references = references;
    const labelled = references.filter(({ label, scores }) => label !== undefined && scores !== undefined);
    const right = labelled.filter(({ label, scores }) => argmax(scores!) === label);
    this.#top1Fp32 = labelled.length === 0 ? null : (100 * right.length) / labelled.length;
  }

  /** Percent of the samples that the fp32 model gets right; `null` without labels. */
  get top1Fp32(): number | null {
    return this.#top1Fp32;
  }

  get samples(): number {
    return this.#references.length;
  }

  /**
   * Reads the data and runs the fp32 model once.
   * @param outDir the run's results, whose calibration is read
   * @throws what preparing a model and reading data throw; `data-empty` for a recipe without data
   */
  static async open(
    job: QuantizeJob,
    outDir: string,
    context: JobContext,
    options: TrialOptions = {},
  ): Promise<Trials> {
    const { recipe, baseDir } = job;
    const source = recipe.validate ?? recipe.calibration;
    if (source === undefined) throw new QuantscopeError('data-empty', 'The recipe names no data to try a change on.');
    const prepared = await prepare(recipe, baseDir, context);
    const dataset = await openDataset(source.data, prepared.inputs, {
      baseDir,
      preprocess: preprocessOf(recipe.preprocess),
      samples: options.samples ?? DEFAULT_SAMPLES,
      trusted: context.trusted === true,
    });
    const file = recipe.validate?.labels;
    const labels = file === undefined ? undefined : await readLabelsFor(path.resolve(baseDir, file), dataset.ids);
    await assertRepeats(prepared.model, dataset, context);
    const session = await openSession(prepared.model, threadsOf(context));
    const references: Reference[] = [];
    let room = FEEDS_CAP_BYTES;
    let choice: ClassChoice | undefined;
    try {
      for await (const { id, feeds } of dataset.samples(context.signal)) {
        throwIfCancelled(context.signal);
        const outputs = await session.run(feeds);
        room -= bytesOf(feeds);
        const label = labels?.find(id);
        const batch = Object.values(feeds)[0]?.dims[0];
        choice ??= chooseClasses(outputs, { labels, task: recipe.task, graph: prepared.graph, batch });
        references.push({
          id,
          feeds: room > 0 ? feeds : undefined,
          outputs: floats(outputs),
          scores: scoresOf(outputs, choice.chosen?.output),
          label,
        });
      }
    } finally {
      await session.close();
    }
    const finite = references.some(({ outputs }) =>
      Object.values(outputs).some((output) => toFloat32(output).some(Number.isFinite)),
    );
    if (references.length > 0 && !finite) throw nothingToCompare();
    return new Trials(job, outDir, context, options, {
      ...{ fp32: prepared.model, dataset, references, classes: choice?.chosen?.output },
      parts: new OutputParts(
        prepared.graph,
        prepared.tensors,
        references.map(({ outputs }) => outputs),
      ),
    });
  }

  /**
   * Converts by a recipe and measures the result on every sample.
   * @throws `plan-impossible`, `selector-unmatched` and what converting and running throw
   */
  async run(recipe: Recipe): Promise<Trial> {
    const settled = await this.#settle(recipe, async ({ model }) => {
      const session = await openSession(model, threadsOf(this.#context));
      try {
        return await this.#measure(session);
      } finally {
        await session.close();
      }
    });
    const { model } = settled.conversion;
    const perSample = settled.used;
    return {
      recipe,
      model,
      bytes: serializeModel(model).length,
      macs: quantizedShare(settled.prepared),
      sqnr: perSample.errors.worst(allOf(this.#references.length)),
      agreement: percent(perSample.agrees),
      top1: percent(perSample.correct),
      perSample,
    };
  }

  /** What one recipe's model is beside another's. */
  async price(before: Trial, after: Trial): Promise<Price> {
    const seed = this.#options.seed ?? 0;
    const n = this.#references.length;
    const sqnrOf = ({ perSample }: Trial, indices: Int32Array): number =>
      Math.min(MOST_SQNR, perSample.errors.worst(indices));
    const sqnr = (indices: Int32Array): number => sqnrOf(after, indices) - sqnrOf(before, indices);
    return {
      sqnr: bootstrap(n, sqnr, seed),
      agreement: sharesOf(before.perSample.agrees, after.perSample.agrees),
      top1: sharesOf(before.perSample.correct, after.perSample.correct),
      latency: this.#options.timed === true ? await this.#slowdown(before.model, after.model, seed) : null,
      bytes: after.bytes - before.bytes,
      from: Number.isFinite(before.sqnr) ? before.sqnr : null,
      sizeRatio: after.bytes / before.bytes,
      macs: after.macs - before.macs,
      samples: n,
    };
  }

  /** Time of the trial's model ÷ time of fp32, on one thread: the median over the rounds. */
  async latencyRatio({ model }: Trial, rounds = MOST_ROUNDS): Promise<number | null> {
    const ratios = await this.#race(this.#fp32, model, rounds);
    return ratios === null ? null : medianOf(ratios, allOf(ratios.length));
  }

  /** Microseconds of each layer's kernels, int8 and fp32, on one thread; empty where the samples are too large to keep. */
  async layerTimes(recipe: Recipe): Promise<ReadonlyMap<string, { readonly int8: number; readonly fp32: number }>> {
    const feeds = this.#references[0]?.feeds;
    const { signal } = this.#context;
    const common = { threads: 1, ...(signal === undefined ? {} : { signal }) };
    const { prepared, used: times } = await this.#settle(recipe, (conversion, { plan, model: fp32 }) =>
      kernelTimes({ fp32, conversion, plan, ...common, ...(feeds === undefined ? {} : { feeds }) }),
    );
    return new Map(
      prepared.plan.layers.flatMap(({ name }) => {
        const [int8, float] = [times.int8?.layers.get(name), times.fp32?.layers.get(name)];
        return int8 === undefined || float === undefined ? [] : [[name, { int8, fp32: float }] as const];
      }),
    );
  }

  /** New ÷ old − 1. */
  async #slowdown(before: OnnxModel, after: OnnxModel, seed: number): Promise<Difference | null> {
    const ratios = await this.#race(before, after);
    if (ratios === null) return null;
    const { value, low, high } = bootstrap(ratios.length, (indices) => medianOf(ratios, indices) - 1, seed);
    return { value, low: low - TIMING_FLOOR, high: high + TIMING_FLOOR };
  }

  async #race(first: OnnxModel, second: OnnxModel, rounds = MOST_ROUNDS): Promise<Float64Array | null> {
    const feeds = this.#references[0]?.feeds;
    return feeds === undefined ? null : pairedRatios(first, second, feeds, rounds, this.#context.signal);
  }

  /** Converts by the plan that a run of the recipe would come to. */
  async #settle<T>(
    recipe: Recipe,
    use: (conversion: Conversion, prepared: Prepared) => Promise<T>,
  ): Promise<Settled<Prepared, T>> {
    const { calibration } = recipe;
    const prepared = await prepare(recipe, this.#job.baseDir, this.#quiet());
    const { backend } = prepared;
    const needed = calibration !== undefined && needsCalibration(prepared.plan);
    const dataset = needed
      ? await openDataset(calibration.data, prepared.inputs, {
          baseDir: this.#job.baseDir,
          preprocess: preprocessOf(recipe.preprocess),
          samples: calibration.samples ?? DEFAULT_SAMPLES,
          ...(calibration.seed === undefined ? {} : { seed: calibration.seed }),
          trusted: this.#context.trusted === true,
        })
      : undefined;
    const { stats, means } =
      dataset === undefined
        ? { stats: new Map(), means: new Map<string, Float32Array>() }
        : await calibrateTrial(prepared, dataset, recipe, this.#outDir, this.#quiet());
    const { ranges } = rangesOf(prepared, stats);
    const corrected = calibration?.biasCorrection ?? backend.biasCorrection;
    const { signal } = this.#context;
    return settle(prepared, {
      convert: (plan) =>
        convert(prepared.model, plan, {
          ranges,
          ...(corrected ? { means } : {}),
          convention: backend.convention,
          backend: backend.id,
          source: path.basename(prepared.file),
          version: VERSION,
        }),
      use: (conversion, plan) => use(conversion, { ...prepared, plan }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #measure(session: Session): Promise<PerSample> {
    const n = this.#references.length;
    const errors = new UnitSums(this.parts, n);
    const classified = this.#references.every(({ scores }) => scores !== undefined);
    const labelled = classified && this.#references.every(({ label }) => label !== undefined);
    const agrees = classified ? new Uint8Array(n) : null;
    const correct = labelled ? new Uint8Array(n) : null;
    let index = 0;
    for await (const feeds of this.#feeds()) {
      throwIfCancelled(this.#context.signal);
      const outputs = await session.run(feeds);
      const { outputs: wanted, scores, label } = this.#references[index]!;
      errors.set(index, wanted, outputs);
      const found = argmax(scoresOf(outputs, this.#classes) ?? []);
      if (agrees !== null) agrees[index] = found >= 0 && found === argmax(scores ?? []) ? 1 : 0;
      if (correct !== null) correct[index] = found === label ? 1 : 0;
      index++;
    }
    return { errors, agrees, correct };
  }

  async *#feeds(): AsyncGenerator<Feeds> {
    if (this.#references.every(({ feeds }) => feeds !== undefined)) {
      for (const { feeds } of this.#references) yield feeds!;
      return;
    }
    for await (const { feeds } of this.#dataset.samples(this.#context.signal)) yield feeds;
  }

  /** The stages of a trial are no news; only its signal counts. */
  #quiet(): JobContext {
    return { ...this.#context, onProgress: () => undefined };
  }
}

function threadsOf({ threads }: JobContext): { threads?: number } {
  return threads === undefined ? {} : { threads };
}

function bytesOf(feeds: Feeds): number {
  return Object.values(feeds).reduce((sum, { data, type }) => sum + data.length * bytesPerElement(type), 0);
}

function floats(outputs: Outputs): Outputs {
  return Object.fromEntries(Object.entries(outputs).filter(([, { type }]) => isFloatType(type)));
}

function scoresOf(outputs: Readonly<Record<string, Tensor>>, output: string | undefined): Float32Array | undefined {
  const tensor = output === undefined ? undefined : outputs[output];
  return tensor === undefined ? undefined : classScores(tensor);
}

function allOf(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => i);
}

function percent(flags: Uint8Array | null): number | null {
  return flags === null ? null : (100 * flags.reduce((sum, flag) => sum + flag, 0)) / Math.max(1, flags.length);
}

function sharesOf(before: Uint8Array | null, after: Uint8Array | null): Difference | null {
  return before === null || after === null ? null : pairedShare(before, after);
}

function medianOf(values: Float64Array, indices: Int32Array): number {
  const chosen = Float64Array.from(indices, (index) => values[index]!).sort();
  return chosen[Math.floor(chosen.length / 2)] ?? NaN;
}
