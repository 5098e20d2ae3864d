/**
 * The tools for agents as language-model tools of the editor: the same as those of `quantscope mcp`, with the engine,
 * the progress and the undo of this window. Names: `quantscope_list_layers` and so on, as package.json declares them.
 */

import * as path from 'node:path';
import * as vscode from 'vscode';
import type { AgentHost, FoundReport } from '../shared/agents/host';
import type { AgentToolName, Effect } from '../shared/agents/tools';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import { FINDING_FILES, parseFinding, type Findings } from '../shared/findings';
import type { JobName, Jobs } from '../shared/protocol';
import { TOOLS } from './ids';
import { openRecipe, readRecipe } from './recipes';
import { isRecipe } from './results';
import type { Services } from './services';
import { toolsApi, type LanguageModelTool, type ToolsApi } from './toolsApi';
import { writeText } from './tune/write';

export function registerTools(services: Services): vscode.Disposable {
  const api = toolsApi();
  if (api === undefined) return vscode.Disposable.from();
  const tools = Object.entries(TOOLS) as [AgentToolName, Effect][];
  return vscode.Disposable.from(
    ...tools.map(([name, effect]) => api.registerTool(`quantscope_${name}`, toolOf(services, api, name, effect))),
  );
}

function toolOf(services: Services, api: ToolsApi, name: AgentToolName, effect: Effect): LanguageModelTool {
  return {
    prepareInvocation: ({ input }) => {
      const { doing, asks } = WORDS[name];
      const subject = subjectOf(input);
      const invocationMessage = `${doing} ${subject}`;
      if (effect === 'reads') return { invocationMessage };
      return { invocationMessage, confirmationMessages: { title: `${doing} ${subject}?`, message: asks } };
    },
    invoke: async ({ input }, token) => {
      const { callTool } = await import('./agentLibrary');
      try {
        return api.result((await callTool(name, input, windowHost(services, effect, token))).text);
      } catch (error) {
        if (toQuantscopeError(error).code === 'cancelled') throw new vscode.CancellationError();
        throw error;
      }
    },
  };
}

/** What is said while a tool works, and what a person is asked before a model runs. */
const WORDS: Readonly<Record<AgentToolName, { readonly doing: string; readonly asks: string }>> = {
  list_layers: { doing: 'Reading the layers of', asks: '' },
  explain_layer: { doing: 'Reading a layer of', asks: '' },
  try_fixes: {
    doing: 'Trying fixes of',
    asks: 'The model is quantized with each of several changes and run on its data. Nothing is written.',
  },
  run: { doing: 'Quantizing by', asks: 'The model is run on its data; the int8 model and a report are written.' },
  tune: {
    doing: 'Tuning',
    asks: 'Up to 40 recipes are tried on the data of the model. The recipe is changed only where the agent asked for it; undo takes it back.',
  },
  benchmark: { doing: 'Timing', asks: 'The models are run some hundred times. Nothing is written.' },
};

function subjectOf(input: unknown): string {
  const { recipe, report, models } = (input ?? {}) as Readonly<Record<string, unknown>>;
  const first: unknown = Array.isArray(models) ? models[0] : undefined;
  const named = recipe ?? report ?? first;
  return typeof named === 'string' ? path.basename(named) : 'a model';
}

const TITLES: Readonly<Partial<Record<JobName, string>>> = {
  quantize: 'Quantizing',
  prices: 'Trying fixes of',
  tune: 'Tuning',
  benchmark: 'Benchmarking',
};

/** Files are read through the editor, jobs run with their progress where those of a person have it. */
function windowHost(services: Services, effect: Effect, token: vscode.CancellationToken): AgentHost {
  const { results, jobs, engine } = services;
  const absolute = (file: string): string => {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    return folder === undefined ? file : path.resolve(folder, file);
  };
  const uriOf = (file: string): vscode.Uri => vscode.Uri.file(absolute(file));
  const report = async (place: string): Promise<FoundReport> => {
    const uri = await reportOf(services, uriOf(place));
    const read = await results.read(uri);
    const folder = uri.path.replace(/\/(?:runs\/)?[^/]*$/, '');
    const baseDir =
      read.base === undefined
        ? path.dirname(read.model.path)
        : path.resolve(uri.with({ path: folder }).fsPath, read.base);
    const finding = async <K extends keyof Findings>(kind: K): Promise<Findings[K] | undefined> => {
      const file = uri.with({ path: `${folder}/${FINDING_FILES[kind]}` });
      const text = await textOf(file).catch(() => undefined);
      return text === undefined ? undefined : parseFinding(kind, text, read);
    };
    return { report: read, file: uri.fsPath, baseDir, finding };
  };
  const run = async <N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    about: string,
  ): Promise<Jobs[N]['output']> => {
    // The tool itself is offered in trusted windows alone, but not every caller asks for what is offered.
    if (effect === 'reads' || !vscode.workspace.isTrusted) {
      throw new QuantscopeError('usage', 'In a restricted workspace models are not run.', {
        hint: 'A person can trust the workspace: "Workspaces: Manage Workspace Trust".',
      });
    }
    const entry = await results.entryOf(vscode.Uri.file(about));
    const stop = new AbortController();
    const cancelled = token.onCancellationRequested(() => {
      stop.abort();
    });
    if (token.isCancellationRequested) stop.abort();
    try {
      // Code that a recipe names is not run for an agent, which may have written the recipe.
      const output = await jobs.run({ title: TITLES[name] ?? name, entry }, ({ signal, onProgress }) =>
        engine.request(name, input, { signal: AbortSignal.any([signal, stop.signal]), onProgress, trusted: false }),
      );
      // Its fixes are not tried by themselves: that would run, as a person's, what an agent may have written.
      if (name === 'quantize') results.refresh();
      return output;
    } finally {
      cancelled.dispose();
    }
  };
  return {
    absolute,
    report,
    recipe: async (place) => {
      const uri = uriOf(place);
      const recipe = await readRecipe(uri);
      const { folder } = await results.entryOf(uri);
      const text = (await openRecipe(uri)).getText();
      return { file: uri.fsPath, recipe, text, baseDir: path.dirname(uri.fsPath), outDir: folder.fsPath };
    },
    write: async ({ file }, text) => {
      await writeText(await openRecipe(vscode.Uri.file(file)), text);
    },
    run,
  };
}

/** @throws `file-not-found` where the recipe has not been run */
async function reportOf({ results }: Services, uri: vscode.Uri): Promise<vscode.Uri> {
  if (isRecipe(uri)) {
    const { report } = await results.entryOf(uri);
    // Asked of the disk: what the store knows of a run that has just ended may be older.
    const exists = await vscode.workspace.fs.stat(report).then(
      () => true,
      () => false,
    );
    if (exists) return report;
    throw new QuantscopeError('file-not-found', 'This recipe has not been run yet, so there is no report.', {
      hint: 'Run it first, with the tool `run`.',
    });
  }
  return uri.path.endsWith('.json') ? uri : vscode.Uri.joinPath(uri, 'report.json');
}

async function textOf(uri: vscode.Uri): Promise<string> {
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}
