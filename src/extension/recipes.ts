/** Recipes as documents of the editor: read with what has been typed but not saved, and written as edits. */

import * as vscode from 'vscode';
import { QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import type * as RecipeLibrary from './recipeLibrary';

/** Loaded when it is first needed. */
export function recipeLibrary(): Promise<typeof RecipeLibrary> {
  return import('./recipeLibrary');
}

/**
 * The recipe as it stands in the editor, which is saved, since engine and views read files.
 * @throws `file-not-found`, `recipe-invalid`
 */
export async function readRecipe(uri: vscode.Uri): Promise<Recipe> {
  const document = await openRecipe(uri);
  if (document.isDirty) await document.save();
  const { parseRecipe } = await recipeLibrary();
  return parseRecipe(document.getText(), uri.fsPath).recipe;
}

/** @throws `file-not-found` */
export async function openRecipe(uri: vscode.Uri): Promise<vscode.TextDocument> {
  try {
    return await vscode.workspace.openTextDocument(uri);
  } catch (cause) {
    throw new QuantscopeError('file-not-found', `${uri.fsPath} cannot be read.`, { cause });
  }
}

export async function saveRecipe(document: vscode.TextDocument): Promise<void> {
  if (document.isDirty && !(await document.save())) {
    throw new QuantscopeError('file-unwritable', `${document.uri.fsPath} could not be saved.`);
  }
}
