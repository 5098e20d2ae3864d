/** Benchmarks of one model, of fp32 against int8, and of any models against each other. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import type { BenchmarkInput } from '../../shared/benchmark';
import type { Evaluation } from '../../shared/evaluation';
import type { Recipe } from '../../shared/recipe';
import { openRecipe, readRecipe, saveRecipe } from '../recipes';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { setting } from '../settings';
import { mayRun } from '../targets';
import { benchmarkPage, benchmarkSentence, type Compared } from './benchmarkText';
import type { JobContext } from './jobRunner';
import type { ResultPages } from './resultPages';
import { torchRecipeOf } from './torchWizard';

export async function benchmarkOne(services: Services, pages: ResultPages, entry: ModelEntry): Promise<void> {
  if (!(await mayRun(entry))) return;
  const input = entry.framework === 'torch' ? await torchInput(entry) : filesInput([entry.model]);
  if (input !== undefined) await time(services, pages, { ...BENCHMARK, entry, names: [entry.name], input });
}

/** How the fp32 model is built, fed and run stands in its recipe. @returns `undefined` where the person gave up */
async function torchInput(entry: ModelEntry): Promise<Timed | undefined> {
  const model = await torchRecipeOf(entry);
  if (model === undefined) return undefined;
  const { recipe, baseDir } = model;
  return { models: [recipe.model], baseDir: baseDir.fsPath, recipe };
}

/** @throws `file-not-found` where the model has not been quantized */
export async function benchmarkPair(services: Services, pages: ResultPages, entry: ModelEntry): Promise<void> {
  if (!(await mayRun(entry))) return;
  const report = await services.results.report(entry);
  if (report === undefined || report.quantized === null) {
    throw new QuantscopeError('file-not-found', `${entry.name} has no int8 model yet.`, { hint: 'Quantize it first.' });
  }
  const { path } = report.quantized;
  const int8 = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  const input =
    entry.framework === 'torch'
      ? await pairInput(entry)
      : filesInput([entry.model, vscode.Uri.joinPath(entry.folder, int8)]);
  await time(services, pages, { ...BENCHMARK, entry, names: ['fp32', 'int8'], input });
}

/** The recipe of a PyTorch model stands for its fp32 model and for the int8 model that it made. */
async function pairInput({ recipe }: ModelEntry): Promise<Timed> {
  await saveRecipe(await openRecipe(recipe));
  return filesInput([recipe]);
}

/** Speed and size, and accuracy where a recipe of theirs names labelled data. */
export async function compareModels(
  services: Services,
  pages: ResultPages,
  models: readonly { readonly entry: ModelEntry; readonly file: vscode.Uri }[],
): Promise<void> {
  const [first] = models;
  if (first === undefined) return;
  for (const { entry } of models) if (!(await mayRun(entry))) return;
  const evaluation = await labelledData(models.map(({ entry }) => entry));
  const files = models.map(({ file }) => file);
  await time(services, pages, {
    ...COMPARISON,
    entry: first.entry,
    names: files.map((file) => vscode.workspace.asRelativePath(file)),
    input: filesInput(files),
    ...(evaluation === undefined ? {} : { evaluation: { ...evaluation, files } }),
  });
}

interface Labelled {
  readonly recipe: Recipe;
  readonly baseDir: string;
}

/** The first recipe with labels counts for all, so that all are measured on the same data. */
async function labelledData(entries: readonly ModelEntry[]): Promise<Labelled | undefined> {
  for (const { hasRecipe, recipe: uri } of entries) {
    const recipe = hasRecipe ? await readRecipe(uri) : undefined;
    if (recipe?.validate?.labels !== undefined) return { recipe, baseDir: vscode.Uri.joinPath(uri, '..').fsPath };
  }
  return undefined;
}

type Timed = Pick<BenchmarkInput, 'models' | 'baseDir' | 'recipe'>;

/** Files as they are, with absolute paths. */
function filesInput(files: readonly vscode.Uri[]): Timed {
  const [first] = files;
  const baseDir = first === undefined ? '' : vscode.Uri.joinPath(first, '..').fsPath;
  return { models: files.map(({ fsPath }) => fsPath), baseDir };
}

/** What the job and its page are called. */
interface Kind {
  readonly title: string;
  readonly noun: string;
}
const BENCHMARK: Kind = { title: 'Benchmarking', noun: 'benchmark' };
const COMPARISON: Kind = { title: 'Comparing', noun: 'comparison' };

interface Timing extends Kind {
  readonly entry: ModelEntry;
  /** What the models are called, in their order. */
  readonly names: readonly string[];
  readonly input: Timed;
  readonly evaluation?: Labelled & { readonly files: readonly vscode.Uri[] };
}

async function time(
  services: Services,
  pages: ResultPages,
  { entry, title, noun, names, input, evaluation }: Timing,
): Promise<void> {
  const { jobs, engine, log } = services;
  const settings = { runs: setting('benchmark.runs', entry.model), threads: setting('benchmark.threads', entry.model) };
  const work = async (context: JobContext): Promise<Compared> => {
    const benchmark = await engine.request('benchmark', { ...input, ...settings }, context);
    const accuracies: Evaluation[] = [];
    for (const file of evaluation?.files ?? []) {
      accuracies.push(await evaluate(services, file, evaluation!, context));
    }
    return { names, benchmark, accuracies };
  };
  const stage = evaluation === undefined ? ({ stage: 'benchmark' } as const) : {};
  const compared = await jobs.run({ title, entry, ...stage }, work);
  const page = benchmarkPage(entry.name, compared);
  log.info(page);
  void show(pages, `${entry.name} ${noun}`, benchmarkSentence(entry.name, compared), page);
}

function evaluate(
  { engine }: Services,
  file: vscode.Uri,
  { recipe, baseDir }: Labelled,
  context: JobContext,
): Promise<Evaluation> {
  const { validate, preprocess } = recipe;
  const { data = '', labels = '', samples } = validate ?? {};
  const input = {
    ...{ model: file.fsPath, data, labels, baseDir },
    ...(preprocess === undefined ? {} : { preprocess }),
    ...(samples === undefined ? {} : { samples }),
  };
  return engine.request('evaluate', input, context);
}

async function show(pages: ResultPages, name: string, sentence: string, page: string): Promise<void> {
  const table = 'Show Table';
  if ((await vscode.window.showInformationMessage(sentence, table)) === table) await pages.show(name, page);
}
