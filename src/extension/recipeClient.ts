/** The language client of recipes: what this editor tells the server about itself. */

import * as vscode from 'vscode';
import { LanguageClient, RevealOutputChannelOn, TransportKind, type Middleware } from 'vscode-languageclient/node';
import type { Fix } from '../shared/fixes';
import { plural } from '../shared/format';
import { candidateKey, type Candidate } from '../shared/fixesToTry';
import { recipeScope } from './findings/backgroundPrices';
import { readKnown } from './findings/read';
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
    const entry = await results.entryOf(document.uri);
    // One that cannot be read has no fixes.
    const report = await results.report(entry).catch(() => undefined);
    if (actions === null || actions === undefined || report === undefined) return actions;
    const known = await readKnown(entry, report);
    const scope = recipeScope(actions.flatMap(candidateOf));
    prices.look(entry, report, known, scope);
    const waiting = new Set(prices.waiting(entry, report, known, scope).map(candidateKey));
    const offered = actions.filter((action) => !candidateOf(action).some((fix) => waiting.has(candidateKey(fix))));
    return offered.length === actions.length ? actions : [...offered, offerUntried(actions.length - offered.length)];
  },
});

/** What a quick fix would try, if it is one of a layer and no correction of the text. */
function candidateOf({ command }: vscode.Command | vscode.CodeAction): Candidate[] {
  const args: readonly unknown[] = typeof command === 'object' ? (command.arguments ?? []) : [];
  const [, fix, layer] = args;
  return isFix(fix) && typeof layer === 'string' ? [{ fix, layer }] : [];
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
