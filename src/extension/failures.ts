/** Shows failures of what a person has started: what happened, what to do, and buttons that do it. */

import * as vscode from 'vscode';
import { toQuantscopeError, type ErrorData } from '../shared/errors';
import { printable } from '../shared/format';
import { failureText, installCommand, placeIn, remediesFor, REMEDY_TITLES, type Remedy } from './advice';

/** The same failure reaches several callers, as when an engine crashes with jobs waiting: it is said once. */
const ONCE_MS = 2_000;

let last: { readonly text: string; readonly time: number } | undefined;

/** @param recipe that the failure may be about */
export async function showFailure(thrown: unknown, recipe?: vscode.Uri): Promise<void> {
  const error = toQuantscopeError(thrown);
  if (error.code === 'cancelled') return;
  const text = failureText(error);
  const now = performance.now();
  if (last?.text === text && now - last.time < ONCE_MS) return;
  last = { text, time: now };
  const fixes = recipe === undefined ? [] : error.fixes;
  const remedies = remediesFor(error, recipe !== undefined);
  const titles = [...fixes.map(({ title }) => printable(title)), ...remedies.map((remedy) => REMEDY_TITLES[remedy])];
  const chosen = await vscode.window.showErrorMessage(text, ...titles);
  const fix = fixes.find(({ title }) => printable(title) === chosen);
  if (fix !== undefined) await vscode.commands.executeCommand('quantscope.applyFix', recipe, fix.change);
  const remedy = remedies.find((each) => REMEDY_TITLES[each] === chosen);
  if (remedy !== undefined) await ACTIONS[remedy](error, recipe);
}

const ACTIONS: Readonly<Record<Remedy, (error: ErrorData, recipe: vscode.Uri | undefined) => Thenable<unknown>>> = {
  exportOnnx: (_, recipe) => vscode.commands.executeCommand('quantscope.exportOnnx', recipe),
  openRecipe: ({ message }, recipe) => openAtPlace(message, recipe),
  selectPython: () => vscode.commands.executeCommand('quantscope.selectPython'),
  installTorch: ({ hint }) => {
    typeInTerminal(installCommand(hint) ?? '');
    return Promise.resolve();
  },
  showLog: () => vscode.commands.executeCommand('quantscope.showLog'),
  manageTrust: () => vscode.commands.executeCommand('workbench.trust.manage'),
  openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', 'quantscope.'),
};

async function openAtPlace(message: string, recipe: vscode.Uri | undefined): Promise<void> {
  if (recipe === undefined) return;
  const place = placeIn(message);
  const start = place === undefined ? undefined : new vscode.Position(place.line - 1, place.column - 1);
  await vscode.window.showTextDocument(
    recipe,
    start === undefined ? {} : { selection: new vscode.Range(start, start) },
  );
}

/** Typed, not run: what is installed where is for the person to decide. */
function typeInTerminal(command: string): void {
  const terminal = vscode.window.createTerminal({ name: 'Install torch' });
  terminal.show();
  terminal.sendText(command, false);
}
