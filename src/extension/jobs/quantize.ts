/** Quantize…: by the recipe, or by one that three questions make first. */

import * as vscode from 'vscode';
import { checkGates } from '../../shared/gates';
import type { NewRecipe } from '../../shared/newRecipe';
import type { Report } from '../../shared/report';
import { QuantscopeError } from '../../shared/errors';
import { modelTarget, nameOf } from '../entries';
import { showFailure } from '../failures';
import { resultSentences } from '../figures';
import { readRecipe, recipeLibrary } from '../recipes';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { baseName, mayRun } from '../targets';
import { askForTorchRecipe } from './torchWizard';
import { askForRecipe } from './wizard';

const QUANTIZING = 'Quantizing';

/** @returns the report; `undefined` where nothing ran to its end, which has been said */
export async function quantize(services: Services, entry: ModelEntry): Promise<Report | undefined> {
  if (!(await mayRun(entry))) return undefined;
  let recipe = entry.hasRecipe ? entry.recipe : undefined;
  try {
    recipe ??= await firstRecipe(services, entry);
    return recipe === undefined ? undefined : await run(services, await services.results.entryOf(recipe));
  } catch (error) {
    void showFailure(error, recipe);
    return undefined;
  }
}

/** @returns the recipe that was written; `undefined` where the person gave up */
async function firstRecipe(services: Services, entry: ModelEntry): Promise<vscode.Uri | undefined> {
  const gaveUp = new AbortController();
  const made = entry.framework === 'torch' ? torchRecipe : onnxRecipe;
  const found = await made(services, entry, gaveUp.signal).finally(() => {
    gaveUp.abort();
  });
  if (found === undefined) return undefined;
  await writeRecipe(services, found.recipe, found.settings);
  return found.recipe;
}

interface FirstRecipe {
  readonly recipe: vscode.Uri;
  readonly settings: NewRecipe;
}

async function onnxRecipe(
  { engine, log }: Services,
  entry: ModelEntry,
  signal: AbortSignal,
): Promise<FirstRecipe | undefined> {
  const { model, recipe } = entry;
  const input = { model: model.fsPath, baseDir: vscode.Uri.joinPath(model, '..').fsPath };
  const inspection = engine.request('inspect', input, { signal });
  // It is awaited after the first answers; until then nobody would hear of its failure.
  inspection.catch((error: unknown) => log.trace(String(error)));
  const settings = await askForRecipe(entry, inspection);
  return settings === undefined ? undefined : { recipe, settings };
}

async function torchRecipe(
  { engine, results }: Services,
  { model }: ModelEntry,
  signal: AbortSignal,
): Promise<FirstRecipe | undefined> {
  const answers = await askForTorchRecipe(model, (recipe, { fsPath: baseDir }) =>
    engine.request('inspect', { model: recipe.model, recipe, baseDir, shallow: true }, { signal }),
  );
  if (answers === undefined) return undefined;
  const { file, settings } = answers;
  const { recipe, hasRecipe } = await results.entryOf(file);
  // Other weights of a network that has a recipe get one of their own.
  const own = vscode.Uri.joinPath(file, '..', `${nameOf(modelTarget(model.path).base)}.quant.yaml`);
  return { recipe: hasRecipe ? own : recipe, settings };
}

async function writeRecipe({ results }: Services, recipe: vscode.Uri, settings: NewRecipe): Promise<void> {
  const { newRecipeText } = await recipeLibrary();
  const edit = new vscode.WorkspaceEdit();
  // Fails where a file has come there in the meantime.
  edit.createFile(recipe, { contents: new TextEncoder().encode(newRecipeText(settings)) });
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new QuantscopeError('file-unwritable', `${recipe.fsPath} could not be written.`);
  }
  results.refresh();
  // Beside nothing it would leave an empty half.
  const { Active, Beside } = vscode.ViewColumn;
  await vscode.window.showTextDocument(recipe, {
    viewColumn: vscode.window.tabGroups.activeTabGroup.tabs.length === 0 ? Active : Beside,
    preserveFocus: true,
    preview: false,
  });
}

async function run(services: Services, entry: ModelEntry): Promise<Report> {
  const { jobs, engine, results, selection, prices, log } = services;
  const recipe = await readRecipe(entry.recipe);
  // A run under way answers a recipe that counts no longer.
  const outdated = jobs.of(entry);
  if (outdated?.title === QUANTIZING) outdated.cancel();
  const baseDir = vscode.Uri.joinPath(entry.recipe, '..').fsPath;
  const input = { recipe, baseDir, outDir: entry.folder.fsPath };
  const report = await jobs.run({ title: QUANTIZING, entry }, (context) => engine.request('quantize', input, context));
  for (const warning of report.warnings) log.warn(warning);
  results.refresh();
  // The layer that was looked at, and maybe fixed, is the one whose change is wanted.
  const layer = selection.entry?.folder.toString() === entry.folder.toString() ? selection.layer : undefined;
  const ran = await results.entryOf(entry.recipe);
  selection.show(ran, 'command', layer);
  prices.begin(ran, report);
  void showResult(entry, report);
  return report;
}

const OPEN_VIEW = 'Open Layer View';
const SHOW_LOG = 'Show Log';

async function showResult(entry: ModelEntry, report: Report): Promise<void> {
  const failed = checkGates(report).filter(({ passed }) => !passed);
  const sentences = [resultSentences(entry.name, report), ...failed.map(({ message }) => message)];
  const { warnings } = report;
  if (warnings.length > 0)
    sentences.push(`${warnings.length === 1 ? 'One warning is' : `${warnings.length} warnings are`} in the log.`);
  const show = failed.length > 0 ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const chosen = await show(sentences.join(' '), OPEN_VIEW, ...(warnings.length > 0 ? [SHOW_LOG] : []));
  if (chosen === OPEN_VIEW) await vscode.commands.executeCommand('quantscope.openLayerView', entry.recipe);
  if (chosen === SHOW_LOG) await vscode.commands.executeCommand('quantscope.showLog');
}

/** Opens the recipe, or offers to make one. */
export async function openRecipeOf(entry: ModelEntry): Promise<void> {
  if (entry.hasRecipe) {
    await vscode.window.showTextDocument(entry.recipe, { preview: false });
    return;
  }
  const make = 'Quantize…';
  const text = `${baseName(entry.model)} has no recipe yet; quantizing it writes one.`;
  if ((await vscode.window.showInformationMessage(text, make)) === make) {
    await vscode.commands.executeCommand('quantscope.quantize', entry.model);
  }
}
