/** The chart of one tune: shows what the search has found so far, and writes what a person chooses into the recipe. */

import * as vscode from 'vscode';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import type { Progress } from '../../shared/progress';
import {
  readFromTuneView,
  type FromTuneView,
  type ToTuneView,
  type TuneAction,
  type TuneViewState,
} from '../../shared/tuneView';
import { chosenIndex } from '../../shared/tuningText';
import type { Tuning } from '../../shared/tuning';
import { showFailure } from '../failures';
import type { CommandId } from '../ids';
import type { RunningJob } from '../jobs/jobRunner';
import { progressText } from '../jobs/progressText';
import type { ModelEntry } from '../results';
import type { Services } from '../services';
import { fillPage } from '../webviewPage';
import { writeTuned, type Origin } from './write';

export class TunePanel {
  readonly #panel: vscode.WebviewPanel;
  readonly #services: Services;
  readonly #entry: ModelEntry;
  readonly #subscriptions: vscode.Disposable[] = [];
  #state: TuneViewState;
  #origin: Origin;

  constructor(panel: vscode.WebviewPanel, services: Services, entry: ModelEntry, state: TuneViewState, text: string) {
    this.#panel = panel;
    this.#services = services;
    this.#entry = entry;
    this.#state = state;
    this.#origin = { recipe: entry.recipe, text, written: undefined };
    panel.title = `Tune ${entry.name}`;
    this.#subscriptions.push(
      panel.webview.onDidReceiveMessage((message: unknown) => {
        const known = readFromTuneView(message);
        if (known !== undefined) void this.#answer(known).catch(showFailure);
      }),
      panel.onDidDispose(() => {
        this.stop();
      }),
    );
    fillPage(panel.webview, services.context.extensionUri, 'Tune', 'tune');
  }

  reveal(): void {
    this.#panel.reveal();
  }

  onDidDispose(react: () => void): void {
    this.#panel.onDidDispose(react);
  }

  /** Another search of the same model in the same place. */
  restart(state: TuneViewState, text: string): void {
    this.#origin = { recipe: this.#entry.recipe, text, written: undefined };
    this.#panel.reveal();
    this.#change(state);
  }

  follow(progress: Progress): void {
    const { tuning } = progress;
    this.#change({ doing: progressText(progress), ...(tuning === undefined ? {} : { tuning }) });
  }

  end(change: Pick<TuneViewState, 'status' | 'failure'> & { readonly tuning?: Tuning }): void {
    this.#change({ ...change, doing: '' });
  }

  /** Writes a recipe that was tried; the best unless told otherwise. */
  async write(point?: number): Promise<void> {
    const { tuning } = this.#state;
    const index = point ?? (tuning === null ? -1 : chosenIndex(tuning));
    const found = tuning?.points[index];
    if (found === undefined) throw new QuantscopeError('internal', `The tune has no recipe ${index}.`);
    this.#origin = await writeTuned(this.#origin, found.changes);
    this.#change({ written: index });
  }

  /** Answers no more; the page stays as it is. */
  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.dispose();
  }

  dispose(): void {
    this.stop();
    this.#panel.dispose();
  }

  #change(change: Partial<TuneViewState>): void {
    this.#state = { ...this.#state, ...change };
    this.#tell();
  }

  /** A hidden page does not exist: it says that it is ready when it is shown again. */
  #tell(): void {
    if (this.#subscriptions.length === 0 || !this.#panel.visible) return;
    const message: ToTuneView = { type: 'state', state: this.#state };
    void this.#panel.webview.postMessage(message);
  }

  async #answer(message: FromTuneView): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.#tell();
        return;
      case 'act':
        await this.#actions[message.action]();
        return;
      case 'write':
        await this.write(message.point);
    }
  }

  readonly #actions: Readonly<Record<TuneAction, () => Thenable<unknown>>> = {
    cancel: () => Promise.resolve(tuningOf(this.#services, this.#entry)?.cancel()),
    openRecipe: () => execute('quantscope.openRecipe', this.#entry.recipe),
    run: () => execute('quantscope.quantize', this.#entry.recipe),
    again: () => execute('quantscope.tune', this.#entry.recipe),
  };
}

const TUNING = 'Tuning';

/** What a search is called in the status bar, and known by. */
export const TUNE_JOB = { title: TUNING, stage: 'tune' } as const;

/** The search of a model that is under way. */
export function tuningOf({ jobs }: Services, entry: ModelEntry): RunningJob | undefined {
  const key = entry.folder.toString();
  return jobs.running.find((job) => job.title === TUNING && job.entry.folder.toString() === key);
}

function execute(command: CommandId, ...args: unknown[]): Thenable<unknown> {
  return vscode.commands.executeCommand(command, ...args);
}

/** A search that has just begun. */
export function startState(entry: ModelEntry, goal: TuneViewState['goal']): TuneViewState {
  return {
    ...{ title: entry.name, recipe: entry.recipe.toString(), goal, status: 'running', doing: 'Starting' },
    ...{ tuning: null, failure: null, written: null },
  };
}

/** How a search ended, for the page. */
export function failedState(error: unknown): Pick<TuneViewState, 'status' | 'failure'> {
  const known = toQuantscopeError(error);
  return known.code === 'cancelled'
    ? { status: 'stopped', failure: null }
    : { status: 'failed', failure: known.toData() };
}
