/**
 * Tries the fixes of a run after it, and those of a layer that somebody looks at, without being asked: in a process of
 * low priority, and never while something runs that a person has started. What is going to be tried is offered only
 * then. Every price is kept beside the report as soon as it is known, where all views read it, so that nothing is tried
 * twice after an interruption, which a closed window is as well.
 */

import * as vscode from 'vscode';
import { priceOf } from '../../shared/findings';
import { candidateKey, fixesToTry, type Candidate } from '../../shared/fixesToTry';
import { PRICES_SECONDS } from '../../shared/price';
import type { Report } from '../../shared/report';
import type { EngineHost } from '../engineHost';
import type { JobRunner } from '../jobs/jobRunner';
import type { ModelEntry, ResultStore } from '../results';
import { onSettingChange, setting } from '../settings';
import { BackgroundQueue } from './backgroundQueue';
import { baseFolder, NOTHING_FOUND, readKnown, type Known } from './read';

/** More than a person is likely to look at; where they take long, the time ends before. */
const MOST = 12;
/** Jobs follow each other: so long nothing is begun between two of them. */
const IDLE_MS = 1_000;

interface PricesTask {
  /** The model, and who wants it: of what is looked at in one place only the last counts. */
  readonly key: string;
  readonly entry: ModelEntry;
  /** Of the report whose fixes are tried. */
  readonly created: string;
  readonly scope: Scope;
  /** What is tried, in this order. */
  plan: readonly Candidate[];
  done: number;
}

/** Where fixes are offered, and which. */
export interface Scope {
  readonly place: 'run' | 'layer' | 'recipe';
  readonly candidates: (report: Report, known: Known) => readonly Candidate[];
}

/** The fixes of the model, and of the layers to blame. */
const RUN: Scope = {
  place: 'run',
  candidates: (report, { culprits }) => fixesToTry(report, culprits, undefined, MOST),
};

/** All fixes of one layer. */
export const layerScope = (layer: string): Scope => ({
  place: 'layer',
  candidates: (report, { culprits }) => fixesToTry(report, culprits, layer, MOST),
});

/** What the recipe offers at a place of its text. */
export const recipeScope = (candidates: readonly Candidate[]): Scope => ({
  place: 'recipe',
  candidates: () => candidates,
});

/** Fixes of a model that are being tried. */
export interface PricesUnderWay {
  readonly entry: ModelEntry;
  /** What is tried now, and what comes after it. No change twice. */
  readonly planned: readonly Candidate[];
  readonly done: number;
  readonly total: number;
  /** It goes on once the job has ended that a person has started. */
  readonly waits: boolean;
}

/** What is left to do where the window is closed, kept with its workspace. */
interface Left {
  readonly recipe: string;
  readonly created: string;
}

const LEFT = 'quantscope.pricesLeft';

interface Needed {
  readonly engine: EngineHost;
  readonly jobs: JobRunner;
  readonly results: ResultStore;
  readonly log: vscode.LogOutputChannel;
  /** Of the workspace. */
  readonly memory: vscode.Memento;
}

export class BackgroundPrices implements vscode.Disposable {
  readonly #needed: Needed;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #queue: BackgroundQueue<PricesTask>;
  readonly #subscriptions: readonly { dispose(): unknown }[];
  /** What was tried as far as it could be, or was stopped: it is not begun again by a look at it. */
  readonly #over = new Set<string>();
  #idle: NodeJS.Timeout | undefined;

  /** Fixes are to be tried, one of them is done, or none are left. */
  readonly onDidChange = this.#changed.event;

  constructor(needed: Needed) {
    this.#needed = needed;
    const { jobs, log } = needed;
    this.#queue = new BackgroundQueue<PricesTask>({
      run: (task, signal) => this.#run(task, signal),
      failed: (task, { code, message }) => {
        this.#end(task);
        log.warn(`Trying fixes of ${task.entry.name}: ${code}: ${message}`);
      },
      changed: () => {
        this.#keep();
        this.#changed.fire();
      },
    });
    this.#subscriptions = [
      this.#changed,
      jobs.onDidChange(() => {
        this.#giveWay(jobs.running.length > 0);
      }),
      onSettingChange(['prices.measure'], () => {
        this.#queue.drop(({ entry }) => !isWanted(entry));
        this.#changed.fire();
      }),
    ];
    void this.#goOn();
  }

  get underWay(): readonly PricesUnderWay[] {
    const models = new Map(this.#queue.tasks.map(({ entry }) => [entry.folder.toString(), entry]));
    return [...models.values()].flatMap((entry) => this.of(entry) ?? []);
  }

  of(entry: ModelEntry): PricesUnderWay | undefined {
    const [first] = this.#queue.tasks.filter((task) => isOf(entry, task));
    if (first === undefined) return undefined;
    const tasks = this.#tasksOf(entry, first.created);
    const left = tasks.flatMap(leftOf);
    const planned = [...new Map(left.map((candidate) => [candidateKey(candidate), candidate])).values()];
    const done = tasks.reduce((sum, task) => sum + task.done, 0);
    const waits = !tasks.some((task) => this.#queue.isRunning(task));
    return { entry, planned, done, total: done + planned.length, waits };
  }

  /** Of the fixes of a run, those that are tried before they are offered, but for those of one place alone. */
  ofRun(entry: ModelEntry, { created }: Pick<Report, 'created'>): readonly Candidate[] {
    return this.#tasksOf(entry, created)
      .filter(({ scope }) => scope === RUN)
      .flatMap(leftOf);
  }

  /** What is tried before it is offered: it is going to be, or {@link look} would begin that. */
  waiting(entry: ModelEntry, report: Report, known: Known, scope: Scope): readonly Candidate[] {
    // What was tried at one place may still stand in the plan of another that was interrupted.
    const planned = untried(this.#tasksOf(entry, report.created).flatMap(leftOf), known);
    return [...planned, ...this.#open(entry, report, known, scope)];
  }

  /** Another one where other fixes of a model are offered untried. */
  stamp(entry: ModelEntry): string {
    return `${isWanted(entry)} ${this.#over.size}`;
  }

  /** After a run that a person has started. */
  begin(entry: ModelEntry, report: Report): void {
    this.look(entry, report, NOTHING_FOUND);
  }

  /**
   * When fixes are looked at: they are tried, unless they have been or nobody wants it, before what was begun earlier,
   * once the look has lasted for a moment.
   * @param known what was found out about the run
   * @param scope by default the fixes of the model and of the layers to blame
   */
  look(entry: ModelEntry, report: Report, known: Known, scope = RUN): void {
    // Where the run has prices, what is left of its fixes was stopped, or the time was up.
    if (scope === RUN && known.prices !== undefined) return;
    const planned = new Set(this.#tasksOf(entry, report.created).flatMap(leftOf).map(candidateKey));
    const isPlanned = (candidate: Candidate): boolean => planned.has(candidateKey(candidate));
    if (!this.#open(entry, report, known, scope).every(isPlanned)) this.#add(entry, report, known, scope);
  }

  /** @param entry only its fixes; by default those of all models */
  stop(entry?: ModelEntry): void {
    const isStopped = (task: PricesTask): boolean => entry === undefined || isOf(entry, task);
    for (const { created } of this.#queue.tasks.filter(isStopped)) this.#over.add(created);
    this.#queue.drop(isStopped);
  }

  dispose(): void {
    clearTimeout(this.#idle);
    this.#queue.hold();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #keep(): void {
    const ofRuns = this.#queue.tasks.filter(({ scope }) => scope === RUN);
    const left = ofRuns.map(({ entry, created }): Left => ({ recipe: entry.recipe.toString(), created }));
    void this.#needed.memory.update(LEFT, left);
  }

  async #goOn(): Promise<void> {
    const { results, memory } = this.#needed;
    // The newest is worked on first, and comes last.
    for (const { recipe, created } of memory.get<readonly Left[]>(LEFT, []).toReversed()) {
      const entry = await results.entryOf(vscode.Uri.parse(recipe));
      // One that cannot be read is nothing to go on with, and the views say so.
      const report = await results.report(entry).catch(() => undefined);
      if (report?.created !== created || !mayTry(entry, report)) continue;
      this.#add(entry, report, await readKnown(entry, report), RUN);
    }
  }

  #tasksOf(entry: ModelEntry, created: string): readonly PricesTask[] {
    return this.#queue.tasks.filter((task) => isOf(entry, task) && task.created === created);
  }

  /** What may be tried and has not been. */
  #open(entry: ModelEntry, report: Report, known: Known, scope: Scope): readonly Candidate[] {
    const { created } = report;
    if (this.#over.has(created) || !mayTry(entry, report)) return [];
    return untried(scope.candidates(report, known), known).filter(
      (candidate) => !this.#over.has(`${created} ${candidateKey(candidate)}`),
    );
  }

  #add(entry: ModelEntry, report: Report, known: Known, scope: Scope): void {
    const { created } = report;
    // Another run takes the place of all that was left of one.
    this.#queue.drop((task) => isOf(entry, task) && task.created !== created);
    const plan = untried(scope.candidates(report, known), known);
    this.#queue.add({ key: `${entry.folder.toString()} ${scope.place}`, entry, created, scope, plan, done: 0 });
    this.#giveWay(this.#needed.jobs.running.length > 0);
  }

  /** What it has left was not to be tried: the time was up, or it failed. */
  #end({ created, plan }: PricesTask): void {
    for (const candidate of plan) this.#over.add(`${created} ${candidateKey(candidate)}`);
  }

  #giveWay(isBusy: boolean): void {
    clearTimeout(this.#idle);
    if (isBusy) this.#queue.hold();
    else {
      this.#idle = setTimeout(() => {
        this.#queue.release();
      }, IDLE_MS);
    }
  }

  async #run(task: PricesTask, signal: AbortSignal): Promise<void> {
    const { engine, results, log } = this.#needed;
    const { entry, created, scope } = task;
    const report = await results.report(entry);
    // Another run has taken its place, in a terminal for instance.
    if (report?.created !== created || !vscode.workspace.isTrusted) return;
    const known = await readKnown(entry, report);
    signal.throwIfAborted();
    const all = scope.candidates(report, known);
    const fresh = untried(all, known);
    if (fresh.length === 0) return;
    const former = all.filter((candidate) => !fresh.includes(candidate));
    const tell = (done: number): void => {
      task.done = former.length + done;
      this.#changed.fire();
    };
    task.plan = [...former, ...fresh];
    tell(0);
    const start = performance.now();
    const input = {
      ...{ report: entry.report.fsPath, baseDir: baseFolder(entry, report).fsPath },
      ...{ candidates: fresh, seconds: PRICES_SECONDS },
    };
    const onProgress = ({ stage, done }: { readonly stage: string; readonly done: number }): void => {
      if (stage !== 'tune' || signal.aborted) return;
      if (done > 0) results.refresh();
      tell(done);
    };
    await engine.requestInBackground('prices', input, { signal, onProgress });
    this.#end(task);
    results.refresh();
    log.info(`Tried ${fresh.length} fixes of ${entry.name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

const isOf = (entry: ModelEntry, task: PricesTask): boolean => task.entry.folder.toString() === entry.folder.toString();

const leftOf = ({ plan, done }: PricesTask): readonly Candidate[] => plan.slice(done);

function untried(candidates: readonly Candidate[], { prices }: Known): readonly Candidate[] {
  return candidates.filter((candidate) => priceOf(prices, candidateKey(candidate)) === undefined);
}

/** Changes are tried on ONNX models alone, on data, and where that is wanted. */
function mayTry(entry: ModelEntry, { framework, recipe }: Report): boolean {
  const hasData = (recipe.validate ?? recipe.calibration) !== undefined;
  const canRun = vscode.workspace.isTrusted && entry.hasModel && entry.model.scheme === 'file';
  return framework === 'onnx' && hasData && canRun && isWanted(entry);
}

function isWanted({ model }: ModelEntry): boolean {
  return setting('prices.measure', model) === 'automatically';
}
