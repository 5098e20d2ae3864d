/**
 * The models of the workspace with their recipes and results, as they are on disk. The one place
 * that searches and watches files; every view asks it.
 */

import * as vscode from 'vscode';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import type { Report } from '../shared/report';
import { parseReport } from '../shared/reportText';
import type { Framework } from '../shared/resultsSuffix';
import {
  modelTarget,
  nameOf,
  newRecipeNames,
  onnxTarget,
  RECIPE_NAME,
  resultsOf,
  resultsPath,
  sortRecipes,
  targetOf,
  TORCH_FILE,
  type RecipeTarget,
} from './entries';
import { recipeLibrary } from './recipes';
import { NOT_SEARCHED } from './searched';
import { setContext } from './settings';

/** A model with everything that belongs to it. One model has one folder of results, also with several recipes. */
export interface ModelEntry {
  /** File name without its extension. */
  readonly name: string;
  readonly framework: Framework;
  /** The model file; of PyTorch the Python file or the weights that `model:` names. */
  readonly model: vscode.Uri;
  /** Of PyTorch: the weights that the recipe names beside the model. */
  readonly weights?: vscode.Uri;
  /** False where only the recipe is left, or where Python alone would find the model. */
  readonly hasModel: boolean;
  /** The recipe that runs: `NAME.quant.yaml` beside the model or one that names it, whether it exists or not. */
  readonly recipe: vscode.Uri;
  readonly hasRecipe: boolean;
  /** All recipes of the model, the one above among them. */
  readonly recipes: readonly vscode.Uri[];
  /** `NAME.quant/` beside the model: what the runs wrote. */
  readonly folder: vscode.Uri;
  /** `report.json` of the last run, whether it exists or not. */
  readonly report: vscode.Uri;
  readonly hasReport: boolean;
}

/** One earlier run. */
export interface RunEntry {
  readonly model: ModelEntry;
  readonly uri: vscode.Uri;
  /** When it ended. */
  readonly created: Date;
}

const MODELS = '**/*.onnx';
const RECIPES = '**/*.quant.{yaml,yml}';
const RESULTS = '**/*.quant/**/*.json';
/** A workspace with more models than this is a zoo; the explorer still reaches each of them. */
const MOST_MODELS = 1_000;
/** Runs write several files one after the other. */
const SETTLE_MS = 150;

export function isTorchFile(uri: vscode.Uri): boolean {
  return TORCH_FILE.test(uri.path);
}

export function isRecipe(uri: vscode.Uri): boolean {
  return RECIPE_NAME.test(uri.path);
}

export class ResultStore implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: { dispose(): unknown }[] = [this.#changed];
  readonly #reports = new Map<string, { readonly mtime: number; readonly report: Report }>();
  #models: readonly ModelEntry[] | undefined;
  #search: Promise<readonly ModelEntry[]> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** A model, a recipe or a result appeared, changed or went. */
  readonly onDidChange = this.#changed.event;

  constructor() {
    for (const pattern of [MODELS, RECIPES, RESULTS]) {
      const watcher = vscode.workspace.createFileSystemWatcher(pattern);
      const react = (): void => {
        this.refresh();
      };
      this.#subscriptions.push(
        watcher,
        watcher.onDidCreate(react),
        watcher.onDidChange(react),
        watcher.onDidDelete(react),
      );
    }
    this.#subscriptions.push(
      vscode.workspace.onDidChangeWorkspaceFolders(() => {
        this.refresh();
      }),
    );
  }

  /** Looks again, soon; several calls in a row count once. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#models = undefined;
      this.#search = undefined;
      this.#changed.fire();
    }, SETTLE_MS);
  }

  /** All models of the workspace, by path. */
  async models(): Promise<readonly ModelEntry[]> {
    if (this.#models !== undefined) return this.#models;
    const search = (this.#search ??= this.#find());
    const found = await search;
    if (this.#search === search) this.#models = found;
    setContext('quantscope.modelsLoaded', true);
    const torch = found.filter(({ framework }) => framework === 'torch');
    const files = torch.flatMap(({ model, weights }) => [model, ...(weights === undefined ? [] : [weights])]);
    setContext(
      'quantscope.torchModels',
      files.map(({ fsPath }) => fsPath),
    );
    setContext(
      'quantscope.torchRecipes',
      torch.flatMap(({ recipes }) => recipes).map(({ fsPath }) => fsPath),
    );
    return found;
  }

  /**
   * The entry of a model, of the weights of one, of a recipe or of anything in a model's folder of results. That of a
   * recipe has it as the one that runs.
   */
  async entryOf(uri: vscode.Uri): Promise<ModelEntry> {
    const models = await this.models();
    if (isRecipe(uri)) {
      const target = await readTarget(uri);
      const known = models.find((entry) => isOf(entry, uri, target));
      return known === undefined
        ? entryFor(uri, target, [uri])
        : { ...known, recipe: uri, hasRecipe: await exists(uri) };
    }
    const results = resultsOf(uri.path);
    if (results !== undefined) {
      const folder = uri.with({ path: results }).toString();
      const known = models.find((entry) => entry.folder.toString() === folder);
      return known ?? entryFor(uri, onnxTarget(results.replace(/\.quant$/, '.onnx')), []);
    }
    const target = modelTarget(uri.path);
    const known = models.find(
      (entry) =>
        isOf(entry, uri, target) ||
        (isTorchFile(uri) && [entry.model, entry.weights].some((file) => file?.toString() === uri.toString())),
    );
    return known ?? entryFor(uri, target, await beside(uri, target));
  }

  /**
   * The last report of a model; `undefined` where there is none.
   * @throws `report-invalid`
   */
  async report(entry: ModelEntry): Promise<Report | undefined> {
    const report = (await exists(entry.report)) ? await this.read(entry.report) : undefined;
    // Earlier versions wrote those of `net.py` to the folder of `net.onnx`.
    return report?.framework === entry.framework ? report : undefined;
  }

  /** @throws `file-not-found`, `report-invalid` */
  async read(uri: vscode.Uri): Promise<Report> {
    const key = uri.toString();
    try {
      const { mtime } = await vscode.workspace.fs.stat(uri);
      const known = this.#reports.get(key);
      if (known?.mtime === mtime) return known.report;
      const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
      const report = parseReport(text, uri.path);
      this.#reports.set(key, { mtime, report });
      return report;
    } catch (error) {
      this.#reports.delete(key);
      if (error instanceof vscode.FileSystemError) {
        throw new QuantscopeError('file-not-found', `${uri.fsPath} cannot be read.`, { cause: error });
      }
      throw toQuantscopeError(error, 'report-invalid');
    }
  }

  /** Earlier runs of a model with the last one, newest first. */
  async runs(entry: ModelEntry): Promise<readonly RunEntry[]> {
    const folder = vscode.Uri.joinPath(entry.folder, 'runs');
    const files = await vscode.workspace.fs.readDirectory(folder).then(
      (found) => found,
      () => [],
    );
    return files
      .flatMap(([name, type]) => {
        const created = /^\d{4}-\d\d-\d\dT.*\.json$/.test(name) ? runDate(name) : undefined;
        if (created === undefined || type !== vscode.FileType.File) return [];
        return [{ model: entry, uri: vscode.Uri.joinPath(folder, name), created }];
      })
      .sort((a, b) => b.created.getTime() - a.created.getTime());
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #find(): Promise<readonly ModelEntry[]> {
    const search = (pattern: string): Thenable<vscode.Uri[]> =>
      vscode.workspace.findFiles(pattern, NOT_SEARCHED, MOST_MODELS);
    const [models, recipes] = await Promise.all([search(MODELS), search(RECIPES)]);
    const found = new Map<string, { readonly target: RecipeTarget; readonly at: vscode.Uri; recipes: vscode.Uri[] }>();
    const add = (at: vscode.Uri, target: RecipeTarget): vscode.Uri[] => {
      // `net.onnx` and `net.py` may lie side by side.
      const key = `${target.framework} ${at.with({ path: target.base }).toString()}`;
      const entry = found.get(key) ?? { target, at, recipes: [] };
      found.set(key, entry);
      return entry.recipes;
    };
    for (const model of models) add(model, onnxTarget(model.path));
    const targets = await Promise.all(recipes.map(readTarget));
    recipes.forEach((recipe, index) => add(recipe, targets[index]!).push(recipe));
    const entries = [...found.values()].map(({ at, target, recipes: own }) => entryFor(at, target, own));
    return (await Promise.all(entries)).sort((a, b) => (a.model.path < b.model.path ? -1 : 1));
  }
}

/** `2026-01-31T12-30-00.123Z.json`: an ISO date whose colons became hyphens. */
function runDate(name: string): Date | undefined {
  const iso = name.replace(/\.json$/, '').replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:');
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function isOf({ framework, folder }: ModelEntry, at: vscode.Uri, target: RecipeTarget): boolean {
  return framework === target.framework && folder.toString() === at.with({ path: resultsPath(target) }).toString();
}

/** @param at any file of the same file system */
async function entryFor(at: vscode.Uri, target: RecipeTarget, recipes: readonly vscode.Uri[]): Promise<ModelEntry> {
  const { framework, model: path, base, weights } = target;
  const model = at.with({ path });
  const sorted = sortRecipes(
    recipes.map((recipe) => recipe.path),
    base,
  ).map((recipe) => at.with({ path: recipe }));
  const recipe = sorted[0] ?? (await freeRecipe(at, target));
  const folder = at.with({ path: resultsPath(target) });
  const report = vscode.Uri.joinPath(folder, 'report.json');
  const [hasModel, hasRecipe, hasReport] = await Promise.all([exists(model), exists(recipe), exists(report)]);
  return {
    ...{ name: nameOf(base), framework, model, hasModel },
    ...(weights === undefined ? {} : { weights: at.with({ path: weights }) }),
    ...{ recipe, hasRecipe, recipes: sorted, folder, report, hasReport },
  };
}

/** A name that no recipe of another model has. */
async function freeRecipe(at: vscode.Uri, target: RecipeTarget): Promise<vscode.Uri> {
  const [first, second] = newRecipeNames(target).map((path) => at.with({ path })) as [vscode.Uri, vscode.Uri];
  return (await exists(first)) ? second : first;
}

/** The recipes of a model outside of the workspace. */
async function beside(at: vscode.Uri, target: RecipeTarget): Promise<vscode.Uri[]> {
  const found = newRecipeNames(target).map(async (path): Promise<vscode.Uri[]> => {
    const recipe = at.with({ path });
    if (!(await exists(recipe))) return [];
    const { framework, base } = await readTarget(recipe);
    return framework === target.framework && base === target.base ? [recipe] : [];
  });
  return (await Promise.all(found)).flat();
}

/** A recipe that cannot be read is still one, of the model that has its name. */
async function readTarget(recipe: vscode.Uri): Promise<RecipeTarget> {
  const [{ parse }, content] = await Promise.all([
    recipeLibrary(),
    vscode.workspace.fs.readFile(recipe).then(
      (bytes) => new TextDecoder().decode(bytes),
      () => '',
    ),
  ]);
  try {
    return targetOf(recipe.path, parse(content, { logLevel: 'silent', maxAliasCount: 0 }));
  } catch {
    return targetOf(recipe.path, undefined);
  }
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}
