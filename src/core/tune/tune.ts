/**
 * Finds the recipe that holds a goal with the most in int8. First what costs nothing at run time: finer
 * weights, another observer. Then layers go back to float in the order of what each contributes to the
 * error at the outputs, as few as the goal allows. Deterministic, but for latencies.
 */

import * as path from 'node:path';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import { changeRecipe } from '../../shared/recipeEdit';
import type { TuneChange, TuneGoal, TuneInput, TunePoint, Tuning } from '../../shared/tuning';
import { backendOf } from '../backends/backends';
import { onlyQuantized } from '../contribution/layerVariants';
import { pairOf } from '../contribution/pair';
import { sweep } from '../contribution/sweep';
import type { TensorStats } from '../calibrate/histogram';
import { openDataset } from '../data/dataset';
import { equalizationOf, unevenness } from '../normalize/equalize';
import { smoothableTensors } from '../normalize/smooth';
import { splittableConcats } from '../normalize/splitConcat';
import { calibrateTrial } from '../pipeline/calibration';
import { macsOf } from '../pipeline/macs';
import { onnxOnly } from '../pipeline/onnxOnly';
import { prepare, type Prepared } from '../pipeline/prepare';
import { rangesOf } from '../pipeline/ranges';
import type { JobContext } from '../pipeline/types';
import { resultsFolder } from '../resultsFolder';
import { explained, freeChanges, rankLayers, remedy, type Lacks, type LayerCost } from './candidates';
import { isBetter, lacksOf, missing } from './judge';
import { Trials } from './trials';

const DEFAULT_SAMPLES = 100;
const DEFAULT_TRIALS = 40;
/** Which layers hurt most shows in far fewer samples than how much. */
const SWEEP_SAMPLES = 16;
/** Rounds of timing for a chart, where no goal hangs on them: they would take as long as all the rest of a trial. */
const GLANCE = 5;
/** An input of a Concat this many times larger than another costs that one more than three bits. */
const UNEQUAL = 10;

export interface TuneContext extends JobContext {
  /** After each recipe that was tried: the tuning so far. */
  readonly onPoint?: (tuning: Tuning) => void;
}

/**
 * A cancelled tune resolves with the best so far, once there is a first point.
 * @throws `usage` for an empty goal; `plan-impossible` for a mode that is not static; what preparing and
 *   running the model throw
 */
export async function tune(input: TuneInput, context: TuneContext = {}): Promise<Tuning> {
  if (Object.values(input.goal).every((limit) => limit === undefined)) {
    throw new QuantscopeError('usage', 'A tune needs a goal: a largest drop, a least SQNR or a largest latency ratio.');
  }
  onnxOnly(input.recipe.framework, 'Searches');
  if ((input.recipe.mode ?? 'static') !== 'static') {
    throw new QuantscopeError('plan-impossible', 'Only static quantization can be tuned.', {
      hint: 'Set `mode: static` and name calibration data.',
    });
  }
  return new Tuner(input, context).run();
}

class OutOfTrials extends Error {}

class Tuner {
  readonly #input: TuneInput;
  readonly #context: TuneContext;
  readonly #goal: TuneGoal;
  readonly #outDir: string;
  readonly #points: TunePoint[] = [];
  readonly #started = performance.now();
  #trials: Trials | undefined;
  #best: TunePoint | undefined;

  constructor(input: TuneInput, context: TuneContext) {
    this.#input = input;
    this.#context = context;
    this.#goal = input.goal;
    this.#outDir = input.outDir ?? resultsFolder(path.resolve(input.baseDir, input.recipe.model));
  }

  async run(): Promise<Tuning> {
    const { recipe, baseDir, samples = DEFAULT_SAMPLES, seed = 0 } = this.#input;
    let complete = true;
    try {
      this.#trials = await Trials.open({ recipe, baseDir }, this.#outDir, this.#context, { samples, seed });
      await this.#search();
    } catch (error) {
      const ended = error instanceof OutOfTrials || toQuantscopeError(error).code === 'cancelled';
      if (!ended || this.#best === undefined) throw error;
      complete = false;
    }
    return this.#tuning(complete);
  }

  async #search(): Promise<void> {
    const start = await this.#try([]);
    if (start === undefined) throw new QuantscopeError('plan-impossible', 'The recipe cannot be converted as it is.');
    if (start.reached) return;
    // What is free makes fewer errors, but nothing faster.
    const free = this.#lacks(start).error ? await this.#searchFree() : start;
    if (free.reached) return;
    const lacks = this.#lacks(free);
    await this.#searchExclusions(free.changes, await this.#rankLayers(free.changes, lacks), lacks);
  }

  /** Each change alone, then those that helped together, the best first. */
  async #searchFree(): Promise<TunePoint> {
    const prepared = await prepare(this.#input.recipe, this.#input.baseDir, {
      ...this.#context,
      onProgress: () => undefined,
    });
    const { observer, weights, biasCorrection } = prepared.backend;
    const perChannel = weights.granularity === 'per-channel';
    const graph = {
      unevenness: unevenness(equalizationOf(prepared.model)),
      smoothable: smoothableTensors(prepared.model).length > 0,
    };
    const candidates = freeChanges(this.#input.recipe, { observer, perChannel, biasCorrection }, graph);
    let best = this.#points[0]!;
    const helpful: { change: TuneChange; point: TunePoint }[] = [];
    for (const change of candidates) {
      const point = await this.#try([change]);
      if (point === undefined || !this.#closer(point, this.#points[0]!)) continue;
      helpful.push({ change, point });
      if (this.#closer(point, best)) best = point;
    }
    // One observer only: a second would replace the first.
    const kinds = new Map(
      helpful
        .toSorted((a, b) => this.#miss(b.point) - this.#miss(a.point))
        .map((h) => [h.change.change.kind, h.change]),
    );
    if (kinds.size > 1) {
      const both = await this.#try([...kinds.values()]);
      if (both !== undefined && this.#closer(both, best)) best = both;
    }
    return best;
  }

  /** Twice as many layers each time until the goal holds, then as few as hold it, then without those not needed. */
  async #searchExclusions(base: readonly TuneChange[], ranked: readonly LayerCost[], lacks: Lacks): Promise<void> {
    if (ranked.length === 0) return;
    const wide = backendOf(this.#input.recipe.backend ?? 'ort-cpu').activations16 === 'kernel';
    const worst = ranked.map((layer) => remedy(layer, lacks, { wide }));
    const with_ = (count: number): TuneChange[] => [...base, ...worst.slice(0, count)];
    let [fails, holds] = [0, 0];
    for (let count = 1; holds === 0; count = Math.min(2 * count, worst.length)) {
      const point = await this.#try(with_(count));
      if (point?.reached === true) holds = count;
      else {
        fails = count;
        if (count >= worst.length) return;
      }
    }
    while (holds - fails > 1) {
      const middle = (holds + fails) >> 1;
      const point = await this.#try(with_(middle));
      if (point?.reached === true) holds = middle;
      else fails = middle;
    }
    let kept = with_(holds);
    // What came last is needed: without it the goal failed.
    for (const change of worst.slice(0, holds - 1).toReversed()) {
      const fewer = kept.filter((other) => other !== change);
      const point = await this.#try(fewer);
      if (point?.reached === true) kept = fewer;
    }
  }

  async #rankLayers(changes: readonly TuneChange[], lacks: Lacks): Promise<LayerCost[]> {
    const { baseDir } = this.#input;
    const doing = 'measuring what each layer contributes';
    const { trials = DEFAULT_TRIALS } = this.#input;
    this.#context.onProgress?.({ stage: 'tune', done: this.#points.length, total: trials, message: doing });
    const context = { ...this.#context, onProgress: () => undefined };
    const recipe = applied(this.#input.recipe, changes);
    const prepared = await prepare(recipe, baseDir, context);
    const { calibration } = recipe;
    if (calibration === undefined) throw new QuantscopeError('data-empty', 'The recipe names no calibration data.');
    const options = { baseDir, preprocess: preprocessOf(recipe.preprocess), trusted: context.trusted === true };
    const samples = calibration.samples ?? DEFAULT_SAMPLES;
    const dataset = await openDataset(calibration.data, prepared.inputs, { ...options, samples });
    const { stats, means } = await calibrateTrial(prepared, dataset, recipe, this.#outDir, context);
    const corrected = calibration.biasCorrection ?? prepared.backend.biasCorrection;
    const pair = await pairOf(prepared, rangesOf(prepared, stats).ranges, corrected ? means : new Map());
    const few = await openDataset(calibration.data, prepared.inputs, {
      ...options,
      samples: Math.min(samples, SWEEP_SAMPLES),
    });
    const layers = new Map(pair.plan.layers.flatMap((layer) => (layer.quantize ? [[layer.name, layer] as const] : [])));
    const { threads, memoryCapBytes, signal } = context;
    const common = { ...(threads === undefined ? {} : { threads }), ...(signal === undefined ? {} : { signal }) };
    const swept = await sweep({
      base: pair.fp32Model,
      graph: pair.fp32,
      tensors: prepared.tensors,
      samples: few,
      parts: this.#trials!.parts,
      layers: [...layers.keys()],
      build: (names) =>
        onlyQuantized(
          pair,
          names.map((name) => layers.get(name)!),
        ),
      ...common,
      ...(memoryCapBytes === undefined ? {} : { memoryCapBytes }),
    });
    const times = lacks.time ? await this.#trials!.layerTimes(recipe) : new Map<string, never>();
    const split = new Set(unequalConcats(prepared, stats));
    const costs = [...swept.layers].map(([layer, error]) => ({
      layer,
      power: powerOf(error.sqnr),
      macs: macsOf(layers.get(layer)!.node, pair.fp32, prepared.tensors),
      time: times.get(layer) ?? null,
      split: split.has(layer),
    }));
    return rankLayers(costs, lacks);
  }

  /** @returns `undefined` where the recipe asks for something impossible */
  async #try(changes: readonly TuneChange[]): Promise<TunePoint | undefined> {
    const known = this.#points.find((point) => sameChanges(point.changes, changes));
    if (known !== undefined) return known;
    const { trials = DEFAULT_TRIALS, recipe } = this.#input;
    if (this.#points.length >= trials) throw new OutOfTrials();
    const runner = this.#trials!;
    let trial;
    try {
      trial = await runner.run(applied(recipe, changes));
    } catch (error) {
      // A name in the recipe may be of what a change has taken away.
      if (['plan-impossible', 'selector-unmatched'].includes(toQuantscopeError(error).code)) return undefined;
      throw error;
    }
    const { sqnr, agreement, top1, bytes, macs } = trial;
    const measured = {
      changes,
      sqnr: Number.isFinite(sqnr) ? sqnr : null,
      agreement,
      top1,
      bytes,
      macs,
      latencyRatio: await runner.latencyRatio(trial, this.#goal.maxLatencyRatio === undefined ? GLANCE : undefined),
    };
    const point = { ...measured, reached: missing(measured, this.#goal, runner.top1Fp32) === 0 };
    this.#points.push(point);
    if (this.#best === undefined || isBetter(point, this.#best, this.#goal, runner.top1Fp32)) this.#best = point;
    this.#context.onPoint?.(this.#tuning(false));
    return point;
  }

  #lacks(point: TunePoint): Lacks {
    return lacksOf(point, this.#goal, this.#trials!.top1Fp32);
  }

  #miss(point: TunePoint): number {
    return missing(point, this.#goal, this.#trials!.top1Fp32);
  }

  #closer(a: TunePoint, b: TunePoint): boolean {
    return isBetter(a, b, this.#goal, this.#trials!.top1Fp32) && this.#miss(a) < this.#miss(b);
  }

  #tuning(complete: boolean): Tuning {
    const point = (found: TunePoint): TunePoint => ({
      ...found,
      changes: found.changes.map((change) => explained(change, this.#points)),
    });
    return {
      goal: this.#goal,
      top1Fp32: this.#trials?.top1Fp32 ?? null,
      samples: this.#trials?.samples ?? 0,
      start: this.#points[0]!,
      best: point(this.#best!),
      points: this.#points.map(point),
      complete,
      trials: this.#input.trials ?? DEFAULT_TRIALS,
      seconds: (performance.now() - this.#started) / 1000,
    };
  }
}

/** Concats that can be split, of which one input reaches many times further than another. */
function unequalConcats({ graph, tensors }: Prepared, stats: ReadonlyMap<string, TensorStats>): string[] {
  return splittableConcats(graph, tensors).flatMap(({ concat, inputs }) => {
    const reaches = inputs.flatMap((name) => {
      const measured = stats.get(name);
      return measured === undefined ? [] : [Math.max(measured.max, -measured.min)];
    });
    const alive = reaches.filter((reach) => reach > 0);
    return Math.max(...alive) >= UNEQUAL * Math.min(...alive) ? [concat] : [];
  });
}

function applied(recipe: Recipe, changes: readonly TuneChange[]): Recipe {
  return changes.reduce<Recipe>((result, { change }) => changeRecipe(result, change) as Recipe, recipe);
}

function sameChanges(a: readonly TuneChange[], b: readonly TuneChange[]): boolean {
  const key = (changes: readonly TuneChange[]): string =>
    changes
      .map(({ change }) => JSON.stringify(change))
      .sort()
      .join('\n');
  return a.length === b.length && key(a) === key(b);
}

/** Error power relative to the signal. */
function powerOf(sqnr: number | null): number {
  return sqnr === null ? 0 : 10 ** (-sqnr / 10);
}
