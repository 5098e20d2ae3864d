/**
 * The language server of recipes, started with the first recipe that is open. Its library is loaded only then: it
 * is larger than all of the extension.
 */

import * as vscode from 'vscode';
import { toQuantscopeError } from '../shared/errors';
import type { RecipeClient } from './recipeClient';
import { isRecipe } from './results';
import type { Services } from './services';

/** Recipes of no disk can be edited as well; what has never been saved has no name yet. */
const UNNAMED = 'untitled';

export function registerLanguageClient(services: Services): vscode.Disposable {
  let client: Promise<RecipeClient | undefined> | undefined;
  let disposed = false;
  const start = async (): Promise<RecipeClient | undefined> => {
    try {
      const { startRecipeClient } = await import('./recipeClient');
      const started = await startRecipeClient(services);
      // Closed again while it was starting.
      if (disposed) await started.stop();
      return started;
    } catch (error) {
      const { message } = toQuantscopeError(error);
      services.log.error(`The recipe language server did not start: ${message}`);
      void vscode.window.showErrorMessage(
        `Quantscope cannot check recipes: its language server did not start (${message}). Reload the window to try again.`,
      );
      return undefined;
    }
  };
  const look = ({ uri }: vscode.TextDocument): void => {
    if (isRecipe(uri) && uri.scheme !== UNNAMED) client ??= start();
  };
  vscode.workspace.textDocuments.forEach(look);
  return vscode.Disposable.from(vscode.workspace.onDidOpenTextDocument(look), {
    dispose: () => {
      disposed = true;
      void client?.then((started) => started?.stop());
    },
  });
}
