/** Benchmarks of one model, of fp32 against int8, and of any models against each other. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import type { Evaluation } from '../../shared/evaluation';
import type { Recipe } from '../../shared/recipe';
import { readRecipe } from '../recipes';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { setting } from '../settings';
import { mayRun, onnxOnly } from '../targets';
import { benchmarkPage, benchmarkSentence, type Compared } from './benchmarkText';
import type { JobContext } from './jobRunner';
import type { ResultPages } from './resultPages';

export async function benchmarkOne(services: Services, pages: ResultPages, entry: ModelEntry): Promise<void> {
  if (!(await mayRun(entry))) return;
  onnxOnly(entry);
  const model = { name: entry.name, file: entry.model };
  await time(services, pages, { ...BENCHMARK, entry, models: [model], evaluation: undefined });
}

/** @throws `file-not-found` where the model has not been quantized */
export async function benchmarkPair(services: Services, pages: ResultPages, entry: ModelEntry): Promise<void> {
  if (!(await mayRun(entry))) return;
  onnxOnly(entry);
  const report = await services.results.report(entry);
  if (report === undefined || report.quantized === null) {
    throw new QuantscopeError('file-not-found', `${entry.name} has no int8 model yet.`, { hint: 'Quantize it first.' });
  }
  const { path } = report.quantized;
  const int8 = vscode.Uri.joinPath(
    entry.folder,
    path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1),
  );
  const models = [
    { name: 'fp32', file: entry.model },
    { name: 'int8', file: int8 },
  ];
  await time(services, pages, { ...BENCHMARK, entry, models, evaluation: undefined });
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
  const named = models.map(({ file }) => ({ name: vscode.workspace.asRelativePath(file), file }));
  const evaluation = await labelledData(models.map(({ entry }) => entry));
  await time(services, pages, { ...COMPARISON, entry: first.entry, models: named, evaluation });
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

/** What the job and its page are called. */
interface Kind {
  readonly title: string;
  readonly noun: string;
}
const BENCHMARK: Kind = { title: 'Benchmarking', noun: 'benchmark' };
const COMPARISON: Kind = { title: 'Comparing', noun: 'comparison' };

interface Timing extends Kind {
  readonly entry: ModelEntry;
  readonly models: readonly { readonly name: string; readonly file: vscode.Uri }[];
  readonly evaluation: Labelled | undefined;
}

async function time(
  services: Services,
  pages: ResultPages,
  { entry, title, noun, models, evaluation }: Timing,
): Promise<void> {
  const { jobs, engine, log } = services;
  const input = {
    models: models.map(({ file }) => file.fsPath),
    runs: setting('benchmark.runs', entry.model),
    threads: setting('benchmark.threads', entry.model),
    baseDir: vscode.Uri.joinPath(entry.model, '..').fsPath,
  };
  const work = async (context: JobContext): Promise<Compared> => {
    const benchmark = await engine.request('benchmark', input, context);
    const accuracies: Evaluation[] = [];
    for (const { file } of evaluation === undefined ? [] : models) {
      accuracies.push(await evaluate(services, file, evaluation!, context));
    }
    return { names: models.map(({ name }) => name), benchmark, accuracies };
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
