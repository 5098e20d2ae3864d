/** What a layer view shows, read from the disk: the report, the run it is compared with, and what has changed since. */

import * as vscode from 'vscode';
import { createHash } from 'node:crypto';
import type { Report } from '../../shared/report';
import type { ViewSource } from '../../shared/viewProtocol';
import { recipeLibrary } from '../recipes';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { NOTHING_FOUND, readFindings } from '../findings/read';
import { reportId } from './reportView';
import type { Base, Subject } from './subject';

export interface Shown extends Subject {
  readonly id: string;
  /** The report of the last run; `undefined` where an earlier run is shown, of which no measurements are kept. */
  readonly measured: vscode.Uri | undefined;
}

/** Larger files are taken as changed when their date says so. */
const MOST_HASHED = 2 ** 28;

/** @throws `file-not-found`, `report-invalid` */
export async function loadSource(
  { results, prices }: Pick<Services, 'results' | 'prices'>,
  entry: ModelEntry,
  { target, base }: ViewSource,
): Promise<Shown | undefined> {
  const uri = vscode.Uri.parse(target);
  const last = results.report(entry);
  const report = uri.path.endsWith('.json') ? await results.read(uri) : await last;
  if (report === undefined) return undefined;
  const compared =
    base === null
      ? await previousRun(results, entry, report)
      : ({ report: await results.read(vscode.Uri.parse(base)), relation: 'chosen' } as const);
  // A broken last report says nothing about an earlier one.
  const isLast = (await last.catch(() => undefined))?.created === report.created;
  const found = isLast ? await readFindings(entry, report) : NOTHING_FOUND;
  if (isLast) prices.look(entry, report, found);
  const subject = { report, base: compared, found, planned: prices.ofRun(entry, report), stamp: prices.stamp(entry) };
  return { id: reportId(subject), ...subject, measured: isLast ? entry.report : undefined };
}

/** The newest run before a report that can be read. */
async function previousRun(
  results: Services['results'],
  entry: ModelEntry,
  { created }: Report,
): Promise<Base | undefined> {
  for (const run of await results.runs(entry)) {
    if (run.created.getTime() >= new Date(created).getTime()) continue;
    const report = await results.read(run.uri).catch(() => undefined);
    if (report !== undefined && report.created !== created) return { report, relation: 'previous' };
  }
  return undefined;
}

/** Sentences about what has changed since a report. */
export async function changesSince(report: Report, { model, hasModel, recipe }: ModelEntry): Promise<string[]> {
  const created = new Date(report.created).getTime();
  const [modelChanged, recipeChanged] = await Promise.all([
    newerThan(model, created, (bytes) => createHash('sha256').update(bytes).digest('hex') !== report.model.sha256),
    newerThan(recipe, created, (bytes) => isOtherRecipe(bytes, report)),
  ]);
  return [
    ...(report.framework === 'onnx' && !hasModel ? ['The model file is gone.'] : []),
    ...(report.framework === 'onnx' && modelChanged ? ['The model has changed.'] : []),
    ...(recipeChanged ? ['The recipe has changed.'] : []),
  ];
}

/** Whether a file was written after a time and really differs, since a copy or a checkout only looks new. */
async function newerThan(
  uri: vscode.Uri,
  time: number,
  differs: (bytes: Uint8Array) => boolean | Promise<boolean>,
): Promise<boolean> {
  try {
    const { mtime, size } = await vscode.workspace.fs.stat(uri);
    if (mtime <= time) return false;
    return size > MOST_HASHED || (await differs(await vscode.workspace.fs.readFile(uri)));
  } catch {
    return false;
  }
}

async function isOtherRecipe(bytes: Uint8Array, report: Report): Promise<boolean> {
  const { examineRecipe } = await recipeLibrary();
  const { recipe } = examineRecipe(new TextDecoder().decode(bytes));
  return JSON.stringify(recipe) !== JSON.stringify(report.recipe);
}
