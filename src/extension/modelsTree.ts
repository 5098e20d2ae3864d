/**
 * The view Models: models and recipes of the workspace, each with what its last run measured.
 * View `quantscope.models`; commands `quantscope.models.*`. A row's `contextValue` says what it has: `model`,
 * `recipe`, `report`.
 */

import * as vscode from 'vscode';
import { failureText } from './advice';
import { figuresOf, verdict, type Figure, type FigureKind } from './figures';
import { VIEWS } from './ids';
import { shortProgress } from './jobs/progressText';
import type { ModelEntry } from './results';
import { registerUserCommands, type Services } from './services';
import { baseName, entryFor } from './targets';
import type { Report } from '../shared/report';

/** Each has an `entry`, which commands take a row by. */
type Row =
  | { readonly kind: 'model'; readonly entry: ModelEntry }
  /** Its entry runs this recipe. */
  | { readonly kind: 'recipe'; readonly entry: ModelEntry }
  | {
      readonly kind: 'figure';
      readonly entry: ModelEntry;
      readonly figure: Figure;
      readonly layer: string | undefined;
    };

const FIGURE_ICONS: Readonly<Record<FigureKind, string>> = {
  accuracy: 'target',
  size: 'archive',
  speed: 'dashboard',
  layers: 'list-tree',
  worst: 'flame',
};

/** So few models are shown with their figures at once. */
const FEW = 3;

export function registerModelsTree(services: Services): vscode.Disposable {
  const { jobs, results, selection } = services;
  const rows = new ModelRows(services);
  const tree = vscode.window.createTreeView(VIEWS.models, {
    treeDataProvider: rows,
    showCollapseAll: true,
    canSelectMany: true,
  });
  const revealSelected = async (): Promise<void> => {
    const row = selection.entry === undefined ? undefined : rows.rowOf(selection.entry);
    const [chosen] = tree.selection;
    if (row === undefined || !tree.visible || chosen?.entry.folder.toString() === row.entry.folder.toString()) return;
    // A row that has gone in the meantime need not be shown.
    await tree.reveal(row, { select: true, focus: false }).then(undefined, () => undefined);
  };
  return vscode.Disposable.from(
    rows,
    tree,
    results.onDidChange(() => {
      rows.refresh();
    }),
    jobs.onDidChange(() => {
      rows.refreshRunning();
    }),
    selection.onDidChange(({ source }) => {
      if (source !== 'tree') void revealSelected();
    }),
    registerUserCommands({
      'quantscope.models.refresh': async () => {
        results.refresh();
        return Promise.resolve();
      },
      'quantscope.models.reveal': async (target, layer) => {
        const entry = await entryFor(services, [target]);
        if (entry === undefined) return;
        if (typeof layer !== 'string') selection.show(entry, 'tree');
        else {
          // No choice of the tree of layers itself, which has to show it.
          selection.show(entry, 'command', layer);
          await vscode.commands.executeCommand('quantscope.layers.focus');
        }
      },
    }),
  );
}

class ModelRows implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  readonly #services: Services;
  readonly #changed = new vscode.EventEmitter<Row | undefined>();
  /** The models that are drawn, by their folder of results. */
  #models = new Map<string, Row>();
  #running = new Set<string>();
  #offered = false;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(services: Services) {
    this.#services = services;
  }

  rowOf({ folder }: ModelEntry): Row | undefined {
    return this.#models.get(folder.toString());
  }

  refresh(): void {
    this.#changed.fire(undefined);
  }

  /** Only the models of jobs: other rows do not change with their progress. */
  refreshRunning(): void {
    const running = new Set(this.#services.jobs.running.map(({ entry }) => entry.folder.toString()));
    for (const folder of new Set([...running, ...this.#running])) {
      const row = this.#models.get(folder);
      if (row !== undefined) this.#changed.fire(row);
    }
    this.#running = running;
  }

  dispose(): void {
    this.#changed.dispose();
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row !== undefined) return row.kind === 'model' ? this.#partsOf(row.entry) : [];
    const entries = await this.#services.results.models();
    const models = entries.map((entry): Row => ({ kind: 'model', entry }));
    this.#models = new Map(models.map((model) => [model.entry.folder.toString(), model]));
    this.#offer(entries);
    return models;
  }

  getParent({ kind, entry }: Row): Row | undefined {
    return kind === 'model' ? undefined : this.rowOf(entry);
  }

  getTreeItem(row: Row): vscode.TreeItem | Promise<vscode.TreeItem> {
    if (row.kind === 'recipe') return recipeItem(row.entry);
    return row.kind === 'figure' ? figureItem(row) : this.#modelItem(row.entry);
  }

  async resolveTreeItem(item: vscode.TreeItem, row: Row): Promise<vscode.TreeItem> {
    if (row.kind !== 'model') return item;
    const failure = this.#services.jobs.failure(row.entry);
    item.tooltip = modelTooltip(row.entry, await this.#report(row.entry), failure && failureText(failure));
    return item;
  }

  async #partsOf(entry: ModelEntry): Promise<Row[]> {
    const recipes = entry.recipes.map((recipe): Row => ({
      kind: 'recipe',
      entry: { ...entry, recipe, hasRecipe: true },
    }));
    const report = await this.#report(entry);
    const figures = report === undefined ? [] : figuresOf(report);
    return [...figures.map((figure): Row => ({ kind: 'figure', entry, figure, layer: figure.layer })), ...recipes];
  }

  async #modelItem(entry: ModelEntry): Promise<vscode.TreeItem> {
    const { folder, model, recipe, hasModel } = entry;
    const item = new vscode.TreeItem(hasModel ? baseName(model) : baseName(recipe), this.#collapsible(entry));
    item.id = folder.toString();
    const report = await this.#report(entry);
    Object.assign(item, this.#state(entry, report));
    item.contextValue = contextOf(entry);
    item.command = { title: 'Show Layers', command: 'quantscope.models.reveal', arguments: [{ entry }] };
    return item;
  }

  #collapsible({ recipes, hasReport }: ModelEntry): vscode.TreeItemCollapsibleState {
    if (recipes.length === 0 && !hasReport) return vscode.TreeItemCollapsibleState.None;
    const { Expanded, Collapsed } = vscode.TreeItemCollapsibleState;
    return this.#models.size <= FEW ? Expanded : Collapsed;
  }

  #state(entry: ModelEntry, report: Report | undefined): Pick<vscode.TreeItem, 'description' | 'iconPath'> {
    const { jobs } = this.#services;
    const job = jobs.of(entry);
    if (job !== undefined) {
      const description = job.progress === undefined ? 'starting' : shortProgress(job.progress);
      return { description, iconPath: new vscode.ThemeIcon('sync~spin') };
    }
    if (jobs.failure(entry) !== undefined)
      return { description: 'failed', iconPath: icon('error', 'testing.iconFailed') };
    if (!entry.hasModel)
      return { description: 'model is missing', iconPath: icon('warning', 'list.warningForeground') };
    if (report === undefined) return { description: '', iconPath: new vscode.ThemeIcon('circle-large-outline') };
    return { description: verdict(report), iconPath: icon('pass', 'testing.iconPassed') };
  }

  async #report(entry: ModelEntry): Promise<Report | undefined> {
    // What cannot be read is said where a person opens it.
    return this.#services.results.report(entry).catch(() => undefined);
  }

  /** Where one model alone has results, all views show it from the start. */
  #offer(entries: readonly ModelEntry[]): void {
    const { selection } = this.#services;
    const withReport = entries.filter(({ hasReport }) => hasReport);
    const [only] = withReport;
    if (this.#offered || only === undefined || withReport.length > 1) return;
    this.#offered = true;
    if (selection.entry === undefined) selection.show(only, 'tree');
  }
}

function icon(name: string, color: string): vscode.ThemeIcon {
  return new vscode.ThemeIcon(name, new vscode.ThemeColor(color));
}

function contextOf({ hasModel, framework, hasRecipe, hasReport }: ModelEntry): string {
  return [
    // A PyTorch recipe finds its model by itself.
    ...(hasModel || (framework === 'torch' && hasRecipe) ? ['model', framework] : []),
    ...(hasRecipe ? ['recipe'] : []),
    ...(hasReport ? ['report'] : []),
  ].join(' ');
}

function recipeItem({ recipe }: ModelEntry): vscode.TreeItem {
  const item = new vscode.TreeItem(baseName(recipe));
  item.id = recipe.toString();
  item.iconPath = new vscode.ThemeIcon('settings');
  item.tooltip = vscode.workspace.asRelativePath(recipe);
  item.contextValue = 'recipe';
  item.command = { title: 'Open Recipe', command: 'vscode.open', arguments: [recipe] };
  return item;
}

function figureItem({ entry, figure, layer }: Extract<Row, { kind: 'figure' }>): vscode.TreeItem {
  const item = new vscode.TreeItem(figure.name);
  item.id = `${entry.folder.toString()}#${figure.kind}`;
  item.description = figure.value;
  item.iconPath = new vscode.ThemeIcon(FIGURE_ICONS[figure.kind]);
  item.tooltip = `${figure.name}: ${figure.full ?? figure.value}`;
  item.contextValue = 'figure';
  const command = layer === undefined ? 'quantscope.openLayerView' : 'quantscope.models.reveal';
  item.command = { title: 'Show', command, arguments: layer === undefined ? [entry.recipe] : [{ entry }, layer] };
  return item;
}

function modelTooltip(
  { name, model, hasModel, recipe, hasRecipe, framework }: ModelEntry,
  report: Report | undefined,
  failure: string | undefined,
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown('**').appendText(name).appendMarkdown('**');
  text.appendText(framework === 'torch' ? ' (PyTorch)' : '').appendMarkdown('\n\n');
  text.appendText(vscode.workspace.asRelativePath(hasModel ? model : recipe)).appendMarkdown('\n\n');
  if (failure !== undefined) text.appendMarkdown('Last job failed: ').appendText(failure).appendMarkdown('\n\n');
  if (report === undefined) {
    return text.appendMarkdown(hasRecipe ? 'Not quantized yet.' : 'Not quantized yet, and no recipe.');
  }
  text.appendMarkdown('| Last run | |\n| :-- | :-- |\n');
  for (const { name: figure, value, full = value } of figuresOf(report)) {
    text.appendMarkdown(`| ${figure} | `).appendText(full).appendMarkdown(' |\n');
  }
  return text;
}
