/**
 * Tune…: searches the recipe that holds a goal with the most in int8, shows the search as it goes, and makes the
 * result one edit of the recipe. Command: `quantscope.tune`. Panels of the type `quantscope.tuneView`.
 */

import * as vscode from 'vscode';
import { toQuantscopeError } from '../../shared/errors';
import { plural } from '../../shared/format';
import type { Recipe } from '../../shared/recipe';
import type { TuneGoal, TuneInput, Tuning } from '../../shared/tuning';
import { readKeptTune } from '../../shared/tuneView';
import { changesText, figuresText, goalText } from '../../shared/tuningText';
import { showFailure } from '../failures';
import { openRecipe, readRecipe } from '../recipes';
import type { ModelEntry } from '../results';
import { registerUserCommands, type Services } from '../services';
import { setting } from '../settings';
import { baseName, entryFor, mayRun, onnxOnly } from '../targets';
import { askForGoal } from './goal';
import { goalChoices } from './goalChoices';
import { failedState, startState, TUNE_JOB, TunePanel, tuningOf } from './panel';

/** Also in `activationEvents`, since a restored panel starts the extension. */
export const VIEW_TYPE = 'quantscope.tuneView';

export function registerTune(services: Services): vscode.Disposable {
  const panels = new Map<string, TunePanel>();
  const keep = (entry: ModelEntry, panel: TunePanel): TunePanel => {
    const key = entry.folder.toString();
    panels.get(key)?.dispose();
    panels.set(key, panel);
    panel.onDidDispose(() => {
      if (panels.get(key) === panel) panels.delete(key);
    });
    return panel;
  };
  const show = (entry: ModelEntry, goal: TuneGoal, text: string): TunePanel => {
    const state = startState(entry, goal);
    const known = panels.get(entry.folder.toString());
    if (known === undefined) {
      const panel = vscode.window.createWebviewPanel(VIEW_TYPE, entry.name, vscode.ViewColumn.Active);
      return keep(entry, new TunePanel(panel, services, entry, state, text));
    }
    known.restart(state, text);
    return known;
  };

  const serializer: vscode.WebviewPanelSerializer = {
    deserializeWebviewPanel: async (panel, kept) => {
      const state = readKeptTune(kept);
      if (state === undefined) {
        panel.dispose();
        return;
      }
      const entry = await services.results.entryOf(vscode.Uri.parse(state.recipe));
      const document = await openRecipe(entry.recipe).catch(() => undefined);
      // The search ended with the window, and what has been written since is not known any more.
      const status = state.status === 'running' ? 'stopped' : state.status;
      const restored = { ...state, status, doing: '', written: null } as const;
      keep(entry, new TunePanel(panel, services, entry, restored, document?.getText() ?? ''));
    },
  };

  return vscode.Disposable.from(
    registerUserCommands({
      'quantscope.tune': async (...args) => {
        const entry = await entryFor(services, args);
        if (entry === undefined) return;
        // One search of a model at a time: a second would only wait, and then try the same.
        if (tuningOf(services, entry) === undefined) await tune(services, entry, show);
        else panels.get(entry.folder.toString())?.reveal();
      },
    }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, serializer),
    {
      // The panels stay: a window that is reloaded brings them back.
      dispose: () => {
        for (const panel of panels.values()) panel.stop();
      },
    },
  );
}

async function tune(
  services: Services,
  entry: ModelEntry,
  show: (entry: ModelEntry, goal: TuneGoal, text: string) => TunePanel,
): Promise<void> {
  if (!(await mayRun(entry))) return;
  onnxOnly(entry);
  if (!entry.hasRecipe) {
    await offerRecipe(entry);
    return;
  }
  try {
    const recipe = await readRecipe(entry.recipe);
    const report = await services.results.report(entry).catch(() => undefined);
    const goal = await askForGoal(entry.name, goalChoices(recipe, report, setting('threshold', entry.model)));
    if (goal === undefined) return;
    // What has been typed while the questions stood counts as well.
    const document = await openRecipe(entry.recipe);
    const panel = show(entry, goal, document.getText());
    await search(services, entry, { recipe: await readRecipe(entry.recipe), goal }, panel);
  } catch (error) {
    await showFailure(error, entry.recipe);
  }
}

async function search(
  { jobs, engine }: Services,
  entry: ModelEntry,
  { recipe, goal }: { readonly recipe: Recipe; readonly goal: TuneGoal },
  panel: TunePanel,
): Promise<void> {
  const baseDir = vscode.Uri.joinPath(entry.recipe, '..').fsPath;
  const input: TuneInput = { recipe, baseDir, outDir: entry.folder.fsPath, goal };
  let last: Tuning | undefined;
  let tuning: Tuning;
  try {
    tuning = await jobs.run({ ...TUNE_JOB, entry }, ({ signal, onProgress }) =>
      engine.request('tune', input, {
        signal,
        onProgress: (progress) => {
          last = progress.tuning ?? last;
          onProgress(progress);
          panel.follow(progress);
        },
      }),
    );
  } catch (error) {
    panel.end(failedState(error));
    // What a cancelled search found so far is still found.
    if (toQuantscopeError(error).code !== 'cancelled' || last === undefined) throw error;
    tuning = last;
  }
  panel.end({ status: tuning.complete ? 'done' : 'stopped', failure: null, tuning });
  void tell(entry, panel, tuning).catch(showFailure);
}

const WRITE = 'Write to Recipe';
const RUN = 'Run Again';
const OPEN = 'Open Recipe';

/** A result that holds its goal goes into the recipe, and undo takes it back; any other is for a person to decide. */
async function tell(entry: ModelEntry, panel: TunePanel, tuning: Tuning): Promise<void> {
  const { best, points, goal, complete } = tuning;
  const tried = plural(points.length, 'recipe');
  const found = `${figuresText(best)} (${changesText(best)})`;
  if (best.changes.length === 0) {
    const verdict = best.reached ? 'holds the goal as it is' : `has no better recipe among the ${tried} tried`;
    void vscode.window.showInformationMessage(`${entry.name} ${verdict}: ${figuresText(best)}.`);
    return;
  }
  if (complete && best.reached) {
    await panel.write();
    await afterWriting(
      entry,
      `${entry.name}: ${found} holds ${goalText(goal)}. It is in the recipe; undo takes it back.`,
    );
    return;
  }
  const why = best.reached ? `holds ${goalText(goal)}` : `is nearest to ${goalText(goal)}`;
  const stopped = complete ? `Of ${tried}` : `The search was stopped; of ${tried}`;
  const ask = best.reached ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
  const answer = await ask(`${entry.name}: ${stopped}, ${found} ${why}.`, WRITE);
  if (answer !== WRITE) return;
  await panel.write();
  await afterWriting(entry, `${baseName(entry.recipe)} has the changes; undo takes them back.`);
}

async function afterWriting({ recipe }: ModelEntry, text: string): Promise<void> {
  const run = (): Thenable<unknown> => vscode.commands.executeCommand('quantscope.quantize', recipe);
  if (setting('runAfterFix', recipe) === 'always') {
    await run();
    return;
  }
  const answer = await vscode.window.showInformationMessage(text, RUN, OPEN);
  if (answer === RUN) await run();
  if (answer === OPEN) await vscode.commands.executeCommand('quantscope.openRecipe', recipe);
}

async function offerRecipe({ name, model }: ModelEntry): Promise<void> {
  const quantize = 'Quantize…';
  const text = `${name} has no recipe yet, which a search starts from; quantizing it writes one.`;
  if ((await vscode.window.showInformationMessage(text, quantize)) === quantize) {
    await vscode.commands.executeCommand('quantscope.quantize', model);
  }
}
