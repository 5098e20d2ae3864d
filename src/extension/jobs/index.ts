/** What people start: the commands that run a model, and the item of the status bar that tells how far they are. */

import * as vscode from 'vscode';
import type { InspectInput } from '../../shared/protocol';
import { showFailure } from '../failures';
import { selectInterpreter } from '../python/interpreters';
import { readRecipe } from '../recipes';
import type { ModelEntry } from '../results';
import { registerUserCommands, type Services } from '../services';
import { entryFor, mayRun, pickModels, targetsOf, toEntry } from '../targets';
import { benchmarkOne, benchmarkPair, compareModels } from './benchmark';
import { exportOnnx } from './exportOnnx';
import { openRecipeOf, quantize } from './quantize';
import { ResultPages } from './resultPages';
import { trySample } from './sample';
import { registerStatusBar } from './statusBar';
import { torchRecipeOf } from './torchWizard';

export function registerJobs(services: Services): vscode.Disposable {
  const { jobs, engine, log } = services;
  const pages = new ResultPages();
  /** A command on the one model that it is called for. */
  const onModel =
    <T>(action: (entry: ModelEntry) => Promise<T>) =>
    async (...args: unknown[]): Promise<T | undefined> => {
      const entry = await entryFor(services, args);
      return entry === undefined ? undefined : action(entry);
    };
  return vscode.Disposable.from(
    pages,
    registerStatusBar(services),
    registerUserCommands({
      'quantscope.quantize': onModel((entry) => quantize(services, entry)),
      'quantscope.inspect': onModel((entry) => inspect(services, entry)),
      'quantscope.benchmark': onModel((entry) => benchmarkOne(services, pages, entry)),
      'quantscope.benchmarkPair': onModel((entry) => benchmarkPair(services, pages, entry)),
      'quantscope.compareModels': (...args) => compare(services, pages, args),
      'quantscope.openRecipe': onModel(openRecipeOf),
      'quantscope.exportOnnx': onModel((entry) => exportOnnx(services, entry)),
      'quantscope.cancel': async () => {
        jobs.cancelAll();
        return Promise.resolve();
      },
      'quantscope.trySample': () => trySample(services),
      'quantscope.showLog': async () => {
        log.show(true);
        return Promise.resolve();
      },
      'quantscope.selectPython': async () => {
        const [folder] = vscode.workspace.workspaceFolders ?? [];
        return selectInterpreter(folder?.uri ?? vscode.Uri.file('/'));
      },
      'quantscope.restartEngine': async () => {
        await engine.restart();
        vscode.window.setStatusBarMessage('Quantscope: the engine starts anew with the next job.', MESSAGE_MS);
      },
    }),
  );
}

const MESSAGE_MS = 5_000;

/** Looks at a model without any data, and shows its layers with what the backend would do with each. */
async function inspect({ engine, selection, jobs }: Services, entry: ModelEntry): Promise<void> {
  if (!(await mayRun(entry))) return;
  const input = entry.framework === 'torch' ? await torchInspection(entry) : await onnxInspection(entry);
  if (input === undefined) return;
  const inspection = await jobs
    .run({ title: 'Inspecting', entry }, (context) => engine.request('inspect', input, context))
    .catch((error: unknown) => void showFailure(error, entry.hasRecipe ? entry.recipe : undefined));
  if (inspection === undefined) return;
  selection.showInspection(entry, inspection, 'command');
  await vscode.commands.executeCommand('quantscope.layers.focus');
}

async function onnxInspection({ model, recipe: uri, hasRecipe }: ModelEntry): Promise<InspectInput> {
  const recipe = hasRecipe ? await readRecipe(uri) : undefined;
  const baseDir = vscode.Uri.joinPath(uri, '..').fsPath;
  return { model: model.fsPath, baseDir, ...(recipe === undefined ? {} : { recipe }) };
}

async function torchInspection(entry: ModelEntry): Promise<InspectInput | undefined> {
  const found = await torchRecipeOf(entry);
  if (found === undefined) return undefined;
  const { recipe, baseDir } = found;
  return { model: recipe.model, recipe, baseDir: baseDir.fsPath };
}

async function compare(services: Services, pages: ResultPages, args: readonly unknown[]): Promise<void> {
  const targets = targetsOf(args);
  const entries =
    targets.length < 2
      ? await pickModels(services, 'Which models? The others are compared with the first.')
      : await Promise.all(targets.map((target) => toEntry(services, target)));
  // An int8 model lies in the folder of results of its own entry: the file counts, not the entry.
  const models = entries.map((entry, index) => {
    const target = targets.length < 2 ? undefined : targets[index];
    return { entry, file: target instanceof vscode.Uri ? target : entry.model };
  });
  await compareModels(services, pages, models);
}
