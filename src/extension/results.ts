/**
 * The models of the workspace with their recipes and results, as they are on disk. The one place
 * that searches and watches files; every view asks it.
 */

import * as vscode from 'vscode';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import type { Report } from '../shared/report';
import { parseReport } from '../shared/reportText';
import { setContext } from './settings';

export interface ModelEntry {
  /** File name without its extension. */
  readonly name: string;
  readonly model: vscode.Uri;
  /** `NAME.quant.yaml` beside the model, whether it exists or not. */
  readonly recipe: vscode.Uri;
  readonly hasRecipe: boolean;
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
const REPORTS = '**/*.quant/**/*.json';
/** Packages, and the folders of results, which hold the int8 models. */
const NOT_SEARCHED = '{**/node_modules/**,**/*.quant/**,**/.venv/**,**/.git/**}';
/** A workspace with more models than this is a zoo; the explorer still reaches each of them. */
const MOST_MODELS = 1_000;
/** Runs write several files one after the other. */
const SETTLE_MS = 150;

const RECIPE_NAME = /\.quant\.ya?ml$/;

export function isRecipe(uri: vscode.Uri): boolean {
  return RECIPE_NAME.test(uri.path);
}

export class ResultStore implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[] = [this.#changed];
  readonly #reports = new Map<string, { readonly mtime: number; readonly report: Report }>();
  #models: readonly ModelEntry[] | undefined;
  #search: Promise<readonly ModelEntry[]> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** A model, a recipe or a result appeared, changed or went. */
  readonly onDidChange = this.#changed.event;

  constructor() {
    for (const pattern of [MODELS, RECIPES, REPORTS]) {
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
    return found;
  }

  /** The entry of a model, of a recipe or of anything in a model's folder of results. */
  async entryOf(uri: vscode.Uri): Promise<ModelEntry | undefined> {
    const quantFolder = /^(.*)\.quant\//.exec(uri.path)?.[1];
    if (quantFolder !== undefined) return entryFor(uri.with({ path: `${quantFolder}.onnx` }));
    if (!isRecipe(uri)) return entryFor(uri);
    // The recipe names its model; by default it has its name.
    const named = uri.with({ path: uri.path.replace(RECIPE_NAME, '.onnx') });
    return entryFor(named, uri);
  }

  /**
   * The last report of a model; `undefined` where there is none.
   * @throws `report-invalid`
   */
  async report(entry: ModelEntry): Promise<Report | undefined> {
    return (await exists(entry.report)) ? this.read(entry.report) : undefined;
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
    const files = await vscode.workspace.findFiles(MODELS, NOT_SEARCHED, MOST_MODELS);
    const sorted = files.sort((a, b) => (a.path < b.path ? -1 : 1));
    return Promise.all(sorted.map((model) => entryFor(model)));
  }
}

/** `2026-01-31T12-30-00.123Z.json`: an ISO date whose colons became hyphens. */
function runDate(name: string): Date | undefined {
  const iso = name.replace(/\.json$/, '').replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:');
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

async function entryFor(model: vscode.Uri, knownRecipe?: vscode.Uri): Promise<ModelEntry> {
  const base = model.path.replace(/\.[^./]+$/, '');
  const recipe = knownRecipe ?? model.with({ path: `${base}.quant.yaml` });
  const folder = model.with({ path: `${base}.quant` });
  const report = vscode.Uri.joinPath(folder, 'report.json');
  const [hasRecipe, hasReport] = await Promise.all([exists(recipe), exists(report)]);
  const name = base.slice(base.lastIndexOf('/') + 1);
  return { name, model, recipe, hasRecipe, folder, report, hasReport };
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}
