/** What a command is about: whatever it was called with, else what is open, else what is selected, else a question. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../shared/errors';
import { isRecipe, isTorchFile, type ModelEntry, type RunEntry } from './results';
import type { Services } from './services';

/** A menu passes a Uri, a tree its element, the language server a text. */
export type Target = vscode.Uri | ModelEntry | RunEntry;

export function targetOf(argument: unknown): Target | undefined {
  if (argument instanceof vscode.Uri) return argument;
  if (typeof argument === 'string') return argument.includes(':') ? vscode.Uri.parse(argument) : undefined;
  if (typeof argument !== 'object' || argument === null) return undefined;
  if (isEntry(argument) || isRun(argument)) return argument;
  // An element that wraps an entry, and a Uri that went through JSON.
  if ('entry' in argument) return targetOf(argument.entry);
  if ('scheme' in argument && 'path' in argument) return vscode.Uri.from(argument as vscode.Uri);
  return undefined;
}

function isEntry(value: object): value is ModelEntry {
  return 'folder' in value && 'recipe' in value && 'model' in value;
}

function isRun(value: object): value is RunEntry {
  return 'created' in value && 'uri' in value && 'model' in value;
}

/** All targets of a command on several rows: menus pass the one under the mouse, then all that are selected. */
export function targetsOf(args: readonly unknown[]): readonly Target[] {
  const [first, selected] = args;
  const several = Array.isArray(first) ? first : Array.isArray(selected) ? selected : [first];
  return several.map(targetOf).filter((target) => target !== undefined);
}

/** @returns `undefined` where the person chose none, or there is none to choose */
export async function entryFor(services: Services, args: readonly unknown[]): Promise<ModelEntry | undefined> {
  const { results, selection } = services;
  const [target] = args.map(targetOf).filter((found) => found !== undefined);
  if (target !== undefined) return toEntry(services, target);
  const open = openFile();
  if (open !== undefined && (!isTorchFile(open) || (await hasRecipe(services, open)))) return results.entryOf(open);
  return selection.entry ?? pickModel(services);
}

export async function toEntry({ results }: Services, target: Target): Promise<ModelEntry> {
  if (target instanceof vscode.Uri) return results.entryOf(target);
  return isRun(target) ? target.model : target;
}

/** A model or a recipe in the active editor, whatever shows it. */
function openFile(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (typeof input !== 'object' || input === null || !('uri' in input)) return undefined;
  const { uri } = input;
  if (!(uri instanceof vscode.Uri)) return undefined;
  return isRecipe(uri) || isTorchFile(uri) || uri.path.endsWith('.onnx') ? uri : undefined;
}

/** Most Python files are no models: without a recipe, what is open says nothing of what is meant. */
async function hasRecipe({ results }: Services, file: vscode.Uri): Promise<boolean> {
  return (await results.entryOf(file)).recipes.length > 0;
}

interface ModelPick extends vscode.QuickPickItem {
  readonly entry: ModelEntry;
}

function toPick(entry: ModelEntry): ModelPick {
  const file = entry.hasModel ? entry.model : entry.recipe;
  const description = vscode.workspace.asRelativePath(file);
  return { label: entry.name, description, entry };
}

const NO_MODELS =
  'There is no ONNX model and no recipe in this workspace. For a PyTorch model, right-click its Python file in the explorer.';

/** Asks which model is meant; one alone is not asked for. */
export async function pickModel({ results }: Services): Promise<ModelEntry | undefined> {
  const picks = (await results.models()).map(toPick);
  if (picks.length <= 1) {
    if (picks.length === 0) await offerSample();
    return picks[0]?.entry;
  }
  const options = { placeHolder: 'Which model?', matchOnDescription: true };
  return (await vscode.window.showQuickPick(picks, options))?.entry;
}

/** @returns at least two, or none */
export async function pickModels({ results }: Services, placeHolder: string): Promise<readonly ModelEntry[]> {
  const picks = (await results.models())
    .filter(({ hasModel, framework }) => hasModel && framework === 'onnx')
    .map(toPick);
  if (picks.length < 2) {
    void vscode.window.showInformationMessage('There are no two ONNX models in this workspace.');
    return [];
  }
  const options = { placeHolder, matchOnDescription: true, canPickMany: true } as const;
  const chosen = (await vscode.window.showQuickPick(picks, options)) ?? [];
  if (chosen.length === 1) void vscode.window.showInformationMessage('Choose at least two models to compare.');
  return chosen.length < 2 ? [] : chosen.map(({ entry }) => entry);
}

async function offerSample(): Promise<void> {
  const sample = 'Try the Sample';
  const chosen = await vscode.window.showInformationMessage(NO_MODELS, sample);
  if (chosen === sample) await vscode.commands.executeCommand('quantscope.trySample');
}

/** What runs a model needs a trusted workspace and a disk; menus hide it elsewhere, but not every caller is a menu. */
export async function mayRun({ model, recipe }: ModelEntry): Promise<boolean> {
  if (!vscode.workspace.isTrusted) {
    const manage = 'Manage Trust';
    const chosen = await vscode.window.showWarningMessage('In a restricted workspace models are not run.', manage);
    if (chosen === manage) await vscode.commands.executeCommand('workbench.trust.manage');
    return false;
  }
  const elsewhere = [model, recipe].find(({ scheme }) => scheme !== 'file');
  if (elsewhere === undefined) return true;
  void vscode.window.showWarningMessage(
    `${baseName(elsewhere)} lies on no disk (${elsewhere.scheme}:), so it cannot be run. Copy it to a folder first.`,
  );
  return false;
}

export function baseName({ path }: vscode.Uri): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** @throws `usage` for a PyTorch model: changes of a recipe are tried on ONNX models alone */
export function onnxOnly({ framework, name }: ModelEntry): void {
  if (framework === 'onnx') return;
  throw new QuantscopeError('usage', `${name} is a PyTorch model: causes, prices and searches are for ONNX models.`, {
    hint: 'Its layer view shows the error, the time and the fixes of every layer.',
  });
}
