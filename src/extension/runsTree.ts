/**
 * The view Runs: earlier quantizations of the selected model, the last one first.
 * View `quantscope.runs`; commands `quantscope.runs.*`.
 */

import * as vscode from 'vscode';
import type { Report } from '../shared/report';
import { figuresOf, runSettings, shortResult, verdict } from './figures';
import { VIEWS } from './ids';
import type { ModelEntry, RunEntry } from './results';
import { registerUserCommands, type Services } from './services';

export function registerRunsTree(services: Services): vscode.Disposable {
  const { results, selection } = services;
  const rows = new RunRows(services);
  const tree = vscode.window.createTreeView(VIEWS.runs, { treeDataProvider: rows, canSelectMany: true });
  let shown: ModelEntry | undefined;
  return vscode.Disposable.from(
    rows,
    tree,
    results.onDidChange(() => {
      rows.refresh();
    }),
    selection.onDidChange(({ entry }) => {
      // Another layer of the same model has the same runs.
      if (entry === shown) return;
      shown = entry;
      tree.description = entry?.name ?? '';
      rows.refresh();
    }),
    registerUserCommands({
      'quantscope.runs.open': async (run) => {
        if (isRun(run)) await vscode.commands.executeCommand('quantscope.openLayerView', run.uri);
      },
      'quantscope.runs.compare': async (run, selected) => {
        const chosen = Array.isArray(selected) ? selected.filter(isRun) : [run].filter(isRun);
        const pair = chosen.length > 1 ? chosen : await rows.pair(chosen[0]);
        const [newer, older] = pair.toSorted((a, b) => b.created.getTime() - a.created.getTime());
        if (newer === undefined || older === undefined) return;
        await vscode.commands.executeCommand('quantscope.openLayerView', newer.uri, older.uri);
      },
    }),
  );
}

function isRun(value: unknown): value is RunEntry {
  return typeof value === 'object' && value !== null && 'created' in value && 'uri' in value;
}

class RunRows implements vscode.TreeDataProvider<RunEntry>, vscode.Disposable {
  readonly #services: Services;
  readonly #changed = new vscode.EventEmitter<undefined>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(services: Services) {
    this.#services = services;
  }

  refresh(): void {
    this.#changed.fire(undefined);
  }

  dispose(): void {
    this.#changed.dispose();
  }

  async getChildren(row?: RunEntry): Promise<RunEntry[]> {
    const { entry } = this.#services.selection;
    return row !== undefined || entry === undefined ? [] : [...(await this.#services.results.runs(entry))];
  }

  async getTreeItem(run: RunEntry): Promise<vscode.TreeItem> {
    const item = new vscode.TreeItem(shortDateText(run.created));
    item.id = run.uri.toString();
    item.contextValue = 'run';
    item.command = { title: 'Open Run', command: 'quantscope.runs.open', arguments: [run] };
    const report = await this.#report(run);
    item.description = report === undefined ? 'cannot be read' : runText(report);
    item.iconPath = new vscode.ThemeIcon(report === undefined ? 'warning' : 'history');
    return item;
  }

  async resolveTreeItem(item: vscode.TreeItem, run: RunEntry): Promise<vscode.TreeItem> {
    const report = await this.#report(run);
    if (report !== undefined) item.tooltip = runTooltip(run, report);
    return item;
  }

  /** A run with another one that the person chooses, or two that he chooses. */
  async pair(run: RunEntry | undefined): Promise<readonly RunEntry[]> {
    const first = run ?? (await this.#ask('Which run?', undefined));
    if (first === undefined) return [];
    const other = await this.#ask(`What is the run of ${dateText(first.created)} compared with?`, first);
    return other === undefined ? [] : [first, other];
  }

  async #ask(placeHolder: string, without: RunEntry | undefined): Promise<RunEntry | undefined> {
    const runs = (await this.getChildren()).filter(({ uri }) => uri.toString() !== without?.uri.toString());
    if (runs.length === 0) {
      const text = without === undefined ? 'There is no run to compare.' : 'There is no other run to compare it with.';
      void vscode.window.showInformationMessage(text);
      return undefined;
    }
    const picks = runs.map(async (run) => {
      const report = await this.#report(run);
      return { label: dateText(run.created), description: report === undefined ? '' : shortResult(report), run };
    });
    return (await vscode.window.showQuickPick(Promise.all(picks), { placeHolder, matchOnDescription: true }))?.run;
  }

  async #report({ uri }: RunEntry): Promise<Report | undefined> {
    return this.#services.results.read(uri).catch(() => undefined);
  }
}

function dateText(date: Date): string {
  const format = new Intl.DateTimeFormat(vscode.env.language, { dateStyle: 'medium', timeStyle: 'medium' });
  return format.format(date);
}

/** Of today the time alone, of this year without the year, so that a narrow side bar has room for the result. */
function shortDateText(date: Date): string {
  const now = new Date();
  if (date.getFullYear() !== now.getFullYear()) return dateText(date);
  const day = { month: 'short', day: 'numeric' } as const;
  const time = { hour: 'numeric', minute: '2-digit', second: '2-digit' } as const;
  const isToday = date.toDateString() === now.toDateString();
  return new Intl.DateTimeFormat(vscode.env.language, isToday ? time : { ...day, ...time }).format(date);
}

function runText(report: Report): string {
  return [verdict(report), runSettings(report)].filter((part) => part !== '').join('  ');
}

function runTooltip({ created }: RunEntry, report: Report): vscode.MarkdownString {
  const { backend, mode, calibration, recipe } = report;
  const float = (recipe.layers ?? []).filter(({ quantize }) => quantize === false).map(({ select }) => select);
  const settings = [
    ['Backend', `${backend}, ${mode}`],
    ...(calibration === null ? [] : [['Calibration', `${calibration.observer}, ${calibration.samples} samples`]]),
    ...(float.length === 0 ? [] : [['Kept in float', float.join(', ')]]),
  ];
  const text = new vscode.MarkdownString();
  text.appendMarkdown('| ').appendText(dateText(created)).appendMarkdown(' | |\n| :-- | :-- |\n');
  for (const [name = '', value = ''] of [
    ...figuresOf(report).map((figure) => [figure.name, figure.value]),
    ...settings,
  ]) {
    text.appendMarkdown(`| ${name} | `).appendText(value).appendMarkdown(' |\n');
  }
  return text;
}
