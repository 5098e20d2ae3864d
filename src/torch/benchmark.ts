/** Speed of PyTorch models against each other, in one Python process that runs them in turns. */

import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { speedup } from '../core/benchmark/speedup';
import { summarize } from '../core/benchmark/statistics';
import { syntheticFeeds } from '../core/data/synthetic';
import type { Sample } from '../core/data/types';
import type { JobContext } from '../core/pipeline/types';
import { readRecipe } from '../core/recipeFile';
import { modelName, resultsFolder } from '../core/resultsFolder';
import type { Benchmark, BenchmarkEntry, BenchmarkInput } from '../shared/benchmark';
import { QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import { frameworkOf } from '../shared/resultsSuffix';
import { firstOf, openData } from './data';
import { openWorker } from './environment';
import { contestantsSchema, raceSchema, type Loaded } from './protocol';
import { engineToUse, settingsFor, settingsOf } from './settings';
import type { TorchWorker } from './worker';

/** One thread, ten runs to warm up, a hundred timed: how the classic recipe of PyTorch measures. */
const DEFAULTS = { threads: 1, warmup: 10, runs: 100, seed: 0 } as const;

const RECIPE = /\.ya?ml$/i;

/** Whether the models are PyTorch's: a recipe whose model is, a factory, a pickle or TorchScript. */
export function isTorchBenchmark({ models }: BenchmarkInput): boolean {
  return models.some((model) => RECIPE.test(model) || frameworkOf(model) === 'torch');
}

interface Contestant {
  readonly model: string;
  readonly weights: string | null;
}

interface Plan {
  readonly contestants: readonly Contestant[];
  readonly recipe: Recipe | undefined;
  /** Of the recipe, else of the command. */
  readonly baseDir: string;
}

/**
 * Times models on one input; a recipe stands for its fp32 model and the int8 model that a run of it wrote.
 * @throws `torch-untrusted` before any Python is started; `file-not-found` for a recipe that was never run
 */
export async function benchmarkTorch(input: BenchmarkInput, context: JobContext = {}): Promise<Benchmark> {
  const settings = {
    threads: input.threads ?? context.threads ?? DEFAULTS.threads,
    warmup: input.warmup ?? DEFAULTS.warmup,
    runs: input.runs ?? DEFAULTS.runs,
    seed: input.seed ?? DEFAULTS.seed,
  };
  const { contestants, recipe, baseDir } = await planOf(input);
  const { worker, check } = await openWorker(recipe?.torch?.python, baseDir, context);
  try {
    const settingsOfRecipe = recipe === undefined ? undefined : settingsFor(settingsOf(recipe), check);
    const shapes = { ...recipeShapes(recipe), ...input.shapes };
    const { inputs } = await worker.ask(contestantsSchema, {
      method: 'contestants',
      params: {
        models: contestants,
        base: baseDir,
        inputs: Object.keys(shapes).length === 0 ? (recipe?.torch?.inputs ?? null) : shapes,
        engine: settingsOfRecipe === undefined ? null : engineToUse(settingsOfRecipe),
      },
    });
    const samples = await exampleOf(inputs, recipe, baseDir, settings.seed, worker, context);
    const { warmup, runs, threads } = settings;
    const { entries } = await worker.ask(raceSchema, { method: 'race', params: { warmup, runs, threads }, samples });
    const first = entries[0]?.times ?? [];
    return {
      ...settings,
      entries: contestants.map(({ model }, i): BenchmarkEntry => {
        const { bytes, times } = entries[i]!;
        return {
          model: path.resolve(baseDir, model),
          bytes,
          ...summarize(times),
          ...(i === 0 ? { ratio: 1 } : speedup(first, times)),
        };
      }),
    };
  } finally {
    await worker.close();
  }
}

/** Shapes by name, so that those of the command may replace single ones. */
function recipeShapes(recipe: Recipe | undefined): Readonly<Record<string, readonly (number | string)[]>> {
  const inputs = recipe?.torch?.inputs;
  return inputs === undefined || Array.isArray(inputs) ? {} : inputs;
}

async function planOf({ models, baseDir, recipe: ofFirst }: BenchmarkInput): Promise<Plan> {
  const files = models.filter((model) => RECIPE.test(model));
  const [file, ...others] = files;
  if (file === undefined) {
    const weights = ofFirst?.torch?.weights ?? null;
    const contestants = models.map((model, index) => ({ model, weights: index === 0 ? weights : null }));
    return { contestants, recipe: ofFirst, baseDir };
  }
  if (others.length > 0) throw new QuantscopeError('usage', 'Name one recipe: its engine is that of the whole race.');
  const location = path.resolve(baseDir, file);
  const { recipe } = await readRecipe(location);
  if (recipe.framework !== 'torch') {
    const hint = 'Name the ONNX models themselves.';
    throw new QuantscopeError('usage', `${file} is the recipe of an ONNX model.`, { hint });
  }
  const base = path.dirname(location);
  const name = modelName(recipe.model);
  const script = path.join(resultsFolder(recipe.model, 'torch'), `${name}.int8.pt`);
  // A run leaves one of them, as its mode writes it.
  const int8 = existsSync(path.resolve(base, `${script}2`)) ? `${script}2` : script;
  if (!existsSync(path.resolve(base, int8))) {
    throw new QuantscopeError('file-not-found', `${int8} is not there: the recipe has not been run.`, {
      hint: `Run it first: \`quantscope run ${file} --trust\`.`,
    });
  }
  const own = [
    { model: recipe.model, weights: recipe.torch?.weights ?? null },
    { model: int8, weights: null },
  ];
  const rest = models
    .filter((model) => model !== file)
    .map((model) => ({ model: path.relative(base, path.resolve(baseDir, model)), weights: null }));
  return { contestants: [...own, ...rest], recipe, baseDir: base };
}

/** The first sample of the calibration, where there is a recipe: the sizes that the model is used with. */
async function exampleOf(
  inputs: Loaded['inputs'],
  recipe: Recipe | undefined,
  baseDir: string,
  seed: number,
  worker: TorchWorker,
  context: JobContext,
): Promise<AsyncIterable<Sample> | readonly Sample[]> {
  if (recipe?.calibration === undefined) return [{ id: 'random', feeds: syntheticFeeds(inputs, seed, 0) }];
  const { calibration } = await openData({ recipe, baseDir }, { inputs }, worker, context);
  return firstOf(calibration, 1, context.signal);
}
