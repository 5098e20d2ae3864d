/** The language client of recipes: what this editor tells the server about itself. */

import * as vscode from 'vscode';
import { LanguageClient, RevealOutputChannelOn, TransportKind, type Middleware } from 'vscode-languageclient/node';
import type { CommandId } from './ids';
import type { Services } from './services';

/** Commands that code lenses and quick fixes may call; the second opens the list of values behind a key. */
const COMMANDS: readonly (CommandId | 'editor.action.triggerSuggest')[] = [
  'quantscope.quantize',
  'quantscope.benchmarkPair',
  'quantscope.openLayerView',
  'quantscope.tune',
  'quantscope.afterFix',
  'editor.action.triggerSuggest',
];

/** Checks YAML by the schema of this package as well, so that the same would be said twice. */
const YAML_EXTENSION = 'redhat.vscode-yaml';

const PATTERN = '**/*.quant.{yaml,yml}';
const MOST_RESTARTS = 4;

export interface RecipeClient {
  stop(): Promise<void>;
}

/** Commands of menus are called with a Uri; the protocol only has texts. */
const middleware: Middleware = {
  provideCodeLenses: async (document, token, next) => {
    const lenses = await next(document, token);
    return lenses?.map((lens) => {
      const { command } = lens;
      if (command !== undefined) lens.command = { ...command, arguments: [document.uri] };
      return lens;
    });
  },
};

/** @throws where the process cannot be started */
export async function startRecipeClient({ context, log }: Services): Promise<RecipeClient> {
  const module = vscode.Uri.joinPath(context.extensionUri, 'dist', 'server.js').fsPath;
  const client = new LanguageClient(
    'quantscope',
    'Quantscope Recipes',
    { module, transport: TransportKind.ipc },
    {
      documentSelector: ['file', 'vscode-vfs'].map((scheme) => ({ scheme, pattern: PATTERN })),
      initializationOptions: {
        commands: COMMANDS,
        docs: vscode.Uri.joinPath(context.extensionUri, 'docs').toString(),
        schemaDiagnostics: vscode.extensions.getExtension(YAML_EXTENSION) === undefined,
      },
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      connectionOptions: { maxRestartCount: MOST_RESTARTS },
      middleware,
    },
  );
  await client.start();
  return {
    stop: async () => {
      // One that has crashed for good cannot be stopped.
      await client.dispose().catch(() => undefined);
    },
  };
}
