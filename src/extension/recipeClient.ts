/** The language client of recipes: what this editor tells the server about itself. */

import * as vscode from 'vscode';
import { LanguageClient, RevealOutputChannelOn, TransportKind, type Middleware } from 'vscode-languageclient/node';
import { changeKey, type Fix } from '../shared/fixes';
import { plural } from '../shared/format';
import { candidateKey } from '../shared/fixesToTry';
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

const middleware = ({ prices, results }: Pick<Services, 'prices' | 'results'>): Middleware => ({
  /** Commands of menus are called with a Uri; the protocol only has texts. */
  provideCodeLenses: async (document, token, next) => {
    const lenses = await next(document, token);
    return lenses?.map((lens) => {
      const { command } = lens;
      if (command !== undefined) lens.command = { ...command, arguments: [document.uri] };
      return lens;
    });
  },
  /** What is going to be tried is offered with what it brings and costs, as in the other views. */
  provideCodeActions: async (document, range, context, token, next) => {
    const actions = await next(document, range, context, token);
    const planned = prices.of(await results.entryOf(document.uri))?.planned ?? [];
    const keys = new Set(planned.map(candidateKey));
    const offered = actions?.filter((action) => !keys.has(keyOfFix(action)));
    const waiting = (actions?.length ?? 0) - (offered?.length ?? 0);
    return waiting === 0 ? actions : [...(offered ?? []), offerUntried(waiting)];
  },
});

/** The key of what a quick fix changes; empty for a correction of the text. */
function keyOfFix({ command }: vscode.Command | vscode.CodeAction): string {
  const fix: unknown = typeof command === 'object' ? command.arguments?.[1] : undefined;
  return isFix(fix) ? changeKey(fix.change) : '';
}

function offerUntried(waiting: number): vscode.CodeAction {
  const title = `Show ${plural(waiting, 'fix', 'fixes')} now that wait to be tried`;
  const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
  const command: CommandId = 'quantscope.stopPrices';
  action.command = { title, command };
  return action;
}

/** As the server sends it with `quantscope.afterFix`. */
function isFix(value: unknown): value is Fix {
  return typeof value === 'object' && value !== null && 'change' in value;
}

/** @throws where the process cannot be started */
export async function startRecipeClient({ context, log, prices, results }: Services): Promise<RecipeClient> {
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
      middleware: middleware({ prices, results }),
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
