/**
 * The one way to fix: a change of the recipe as one edit, then a new run if the person wants it.
 * Commands: `quantscope.applyFix(recipe or model, change)`, `quantscope.afterFix(recipe)`.
 */

import * as vscode from 'vscode';
import { QuantscopeError } from '../shared/errors';
import type { RecipeChange } from '../shared/fixes';
import type { Recipe } from '../shared/recipe';
import { folderOf, join, relativePath } from './entries';
import { showFailure } from './failures';
import { openRecipe, recipeLibrary, saveRecipe } from './recipes';
import { isRecipe, type ModelEntry } from './results';
import { registerUserCommands, type Services } from './services';
import { setting } from './settings';
import { baseName, targetOf, toEntry } from './targets';

export function registerFixes(services: Services): vscode.Disposable {
  /** Recipes whose question stands: several fixes in a row need one answer. */
  const asked = new Set<string>();
  return registerUserCommands({
    'quantscope.applyFix': async (target, change) => {
      const recipe = await applyFix(services, target, change);
      // The caller waits for the change, not for what a person answers.
      if (recipe !== undefined) void afterFix(recipe, asked).catch(showFailure);
      return recipe !== undefined;
    },
    'quantscope.afterFix': async (target) => {
      const found = targetOf(target);
      if (found === undefined) return undefined;
      const { recipe } = await toEntry(services, found);
      await saveRecipe(await openRecipe(recipe));
      void afterFix(recipe, asked).catch(showFailure);
      return undefined;
    },
  });
}

/** @returns the recipe, if it has changed */
async function applyFix(services: Services, target: unknown, change: unknown): Promise<vscode.Uri | undefined> {
  const found = targetOf(target);
  if (found === undefined || !isChange(change)) {
    throw new QuantscopeError('internal', 'quantscope.applyFix takes a recipe or a model, and a change of the recipe.');
  }
  const entry = await toEntry(services, found);
  const { recipe } = entry;
  const { recipeEdits, applyChanges } = await recipeLibrary();
  const edit = new vscode.WorkspaceEdit();
  if (entry.hasRecipe || (found instanceof vscode.Uri && isRecipe(found))) {
    const document = await openRecipe(recipe);
    const edits = recipeEdits(document.getText(), change);
    if (edits.length === 0) {
      void vscode.window.showInformationMessage(`${baseName(recipe)} says this already.`);
      return undefined;
    }
    for (const { start, end, text } of edits) {
      edit.replace(recipe, new vscode.Range(document.positionAt(start), document.positionAt(end)), text);
    }
  } else {
    const text = await firstRecipe(services, entry);
    const contents = new TextEncoder().encode(applyChanges(text, recipeEdits(text, change)));
    edit.createFile(recipe, { contents });
  }
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new QuantscopeError('file-unwritable', `${recipe.fsPath} could not be changed.`);
  }
  await saveRecipe(await openRecipe(recipe));
  services.log.info(`${baseName(recipe)}: ${change.kind}`);
  if (!entry.hasRecipe) services.results.refresh();
  return recipe;
}

function isChange(value: unknown): value is RecipeChange {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

/** Where a model was quantized without a recipe, its report tells what would have stood in one. */
async function firstRecipe({ results }: Services, entry: ModelEntry): Promise<string> {
  const report = await results.report(entry);
  const { recipeText } = await recipeLibrary();
  const folder = folderOf(entry.recipe.path);
  const model = relativePath(folder, entry.model.path);
  if (report === undefined) return recipeText({ model });
  const located = async (path: string): Promise<string> => {
    for (const base of basesOf(entry)) {
      const found = entry.recipe.with({ path: join(base, path) });
      if (path !== 'synthetic' && (await exists(found))) return relativePath(folder, found.path);
    }
    return path;
  };
  return recipeText({ ...(await withPaths(report.recipe, located)), model });
}

/** Paths of a run from a terminal start where that was: most likely at the model or at the top of the workspace. */
function basesOf({ recipe }: ModelEntry): string[] {
  const folders = (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.path);
  return [folderOf(recipe.path), ...folders];
}

async function withPaths(recipe: Recipe, located: (path: string) => Promise<string>): Promise<Recipe> {
  const all = async (data: string | string[]): Promise<string | string[]> =>
    typeof data === 'string' ? located(data) : Promise.all(data.map(located));
  const { calibration, validate } = recipe;
  return {
    ...recipe,
    ...(calibration === undefined ? {} : { calibration: { ...calibration, data: await all(calibration.data) } }),
    ...(validate === undefined
      ? {}
      : {
          validate: {
            ...validate,
            data: await all(validate.data),
            ...(validate.labels === undefined ? {} : { labels: await located(validate.labels) }),
          },
        }),
  };
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}

const ANSWERS = { run: 'Run Again', always: 'Always', never: 'Never' } as const;

/** Runs the recipe again, as the setting says. */
async function afterFix(recipe: vscode.Uri, asked: Set<string>): Promise<void> {
  if (!vscode.workspace.isTrusted || recipe.scheme !== 'file') return;
  const run = (): Thenable<unknown> => vscode.commands.executeCommand('quantscope.quantize', recipe);
  const policy = setting('runAfterFix', recipe);
  if (policy === 'always') await run();
  const key = recipe.toString();
  if (policy !== 'ask' || asked.has(key)) return;
  asked.add(key);
  try {
    const question = `${baseName(recipe)} has changed. Quantize again?`;
    const answer = await vscode.window.showInformationMessage(question, ...Object.values(ANSWERS));
    if (answer === ANSWERS.always || answer === ANSWERS.never) {
      const value = answer === ANSWERS.always ? 'always' : 'never';
      const settings = vscode.workspace.getConfiguration('quantscope', recipe);
      await settings.update('runAfterFix', value, vscode.ConfigurationTarget.Global);
    }
    if (answer === ANSWERS.never || answer === undefined) return;
  } finally {
    asked.delete(key);
  }
  await run();
}
