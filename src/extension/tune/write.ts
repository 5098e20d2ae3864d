/** What a tune found, as one edit of the recipe that one undo takes back. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../../shared/errors';
import type { TuneChange } from '../../shared/tuning';
import { openRecipe, recipeLibrary, saveRecipe } from '../recipes';

/** The recipe that a search started from, and what it has become since. */
export interface Origin {
  readonly recipe: vscode.Uri;
  /** The text that the changes are relative to. */
  readonly text: string;
  /** The text that was last written here. */
  readonly written: string | undefined;
}

/**
 * Writes the changes, in place of those that were written before; what a person has typed since stays.
 * @returns the origin from now on
 */
export async function writeTuned(origin: Origin, changes: readonly TuneChange[]): Promise<Origin> {
  const { recipe } = origin;
  const document = await openRecipe(recipe);
  const { tunedRecipe } = await recipeLibrary();
  const current = document.getText();
  const untouched = current === origin.text || current === origin.written;
  const base = untouched ? origin.text : current;
  const text = tunedRecipe(base, changes);
  await writeText(document, text);
  return { recipe, text: base, written: text };
}

/** One edit, saved; one undo takes it back. @throws `file-unwritable` */
export async function writeText(document: vscode.TextDocument, text: string): Promise<void> {
  const current = document.getText();
  if (text === current) return;
  const { uri } = document;
  const { start, end, replacement } = difference(current, text);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), replacement);
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new QuantscopeError('file-unwritable', `${uri.fsPath} could not be changed.`);
  }
  await saveRecipe(document);
}

/** The part between the ends that both texts share, so that cursors and folds outside of it stay where they are. */
function difference(before: string, after: string): { start: number; end: number; replacement: string } {
  const shortest = Math.min(before.length, after.length);
  let start = 0;
  while (start < shortest && before[start] === after[start]) start += 1;
  let same = 0;
  while (same < shortest - start && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  return { start, end: before.length - same, replacement: after.slice(start, after.length - same) };
}
