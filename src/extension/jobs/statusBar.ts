/** One item of the status bar: what runs, or how the last run ended. */

import * as vscode from 'vscode';
import { seconds } from '../../shared/format';
import { figuresOf, shortResult } from '../figures';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import type { RunningJob } from './jobRunner';
import { progressText, shortProgress } from './progressText';

export function registerStatusBar({ jobs, results, selection }: Services): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('quantscope.status', vscode.StatusBarAlignment.Left);
  item.name = 'Quantscope';
  let drawing = 0;
  let last: ModelEntry | undefined;
  const draw = async (): Promise<void> => {
    const turn = (drawing += 1);
    const [job] = jobs.running;
    if (job !== undefined) {
      last = job.entry;
      Object.assign(item, running(job, jobs.running.length - 1));
      item.show();
      return;
    }
    const entry = selection.entry ?? last;
    const text = entry === undefined ? undefined : await ended(entry);
    // Something else has happened while the report was read.
    if (turn !== drawing) return;
    if (text === undefined) item.hide();
    else {
      Object.assign(item, text);
      item.show();
    }
  };
  const ended = async (entry: ModelEntry): Promise<Shown | undefined> => {
    const failure = jobs.failure(entry);
    if (failure !== undefined) return failed(entry, failure.message);
    const report = await results.report(entry).catch(() => undefined);
    return report === undefined ? undefined : succeeded(entry, shortResult(report), figuresOf(report));
  };
  const redraw = (): void => void draw();
  return vscode.Disposable.from(
    item,
    jobs.onDidChange(redraw),
    selection.onDidChange(redraw),
    results.onDidChange(redraw),
  );
}

type Shown = Pick<vscode.StatusBarItem, 'text' | 'tooltip' | 'command' | 'accessibilityInformation'>;

function running({ entry, title, progress }: RunningJob, waiting: number): Shown {
  const short = progress === undefined ? 'starting' : shortProgress(progress);
  const left = progress?.secondsLeft;
  const time = left === undefined || left === 0 ? '' : `, ${seconds(left)} left`;
  const tooltip = trusted();
  tooltip.appendText(`${title} ${entry.name}`).appendMarkdown('\n\n');
  if (progress !== undefined) tooltip.appendText(progressText(progress)).appendMarkdown('\n\n');
  if (waiting > 0) tooltip.appendMarkdown(`${waiting} more waiting\n\n`);
  tooltip.appendMarkdown('[Cancel](command:quantscope.cancel) · [Show Log](command:quantscope.showLog)');
  return {
    text: `$(sync~spin) ${entry.name}: ${short}${time}`,
    tooltip,
    command: 'quantscope.showLog',
    accessibilityInformation: { label: `${title} ${entry.name}: ${short}${time}` },
  };
}

function succeeded(
  entry: ModelEntry,
  short: string,
  figures: readonly { readonly name: string; readonly value: string }[],
): Shown {
  const tooltip = trusted();
  tooltip.appendText(`Last run of ${entry.name}`).appendMarkdown('\n\n');
  for (const { name, value } of figures) {
    tooltip.appendMarkdown('- ').appendText(`${name}: ${value}`).appendMarkdown('\n');
  }
  const label = `${entry.name}: ${short}`;
  const command = { title: 'Open Layer View', command: 'quantscope.openLayerView', arguments: [entry.recipe] };
  return { text: `$(graph-scatter) ${label}`, tooltip, command, accessibilityInformation: { label } };
}

function failed({ name }: ModelEntry, message: string): Shown {
  const tooltip = new vscode.MarkdownString().appendText(message);
  const label = `${name}: failed`;
  return { text: `$(error) ${label}`, tooltip, command: 'quantscope.showLog', accessibilityInformation: { label } };
}

/** With links to commands of ours, and to no others. */
function trusted(): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.isTrusted = { enabledCommands: ['quantscope.cancel', 'quantscope.showLog'] };
  return text;
}
