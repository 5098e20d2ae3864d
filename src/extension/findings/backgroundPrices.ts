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
  /** The model, and the layer where it is about one: of those that are looked at only the last counts. */
  readonly key: string;
  readonly entry: ModelEntry;
  /** Of the report whose fixes are tried. */
  readonly created: string;
  /** Only its fixes; by default those of the model and of the layers to blame. */
  readonly layer: string | undefined;
  /** What is tried, in this order. */
  plan: readonly Candidate[];
  done: number;
}

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
        this.#over.add(subjectOf(task, task.layer));
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

  /** Of the fixes of a run, those that are tried before they are offered, but for those of a layer alone. */
  ofRun(entry: ModelEntry, { created }: Pick<Report, 'created'>): readonly Candidate[] {
    return this.#tasksOf(entry, created)
      .filter(({ layer }) => layer === undefined)
      .flatMap(leftOf);
  }

  /** Of the fixes of a layer, those that are tried before they are offered: they are, or a look at it begins that. */
  ofLayer(entry: ModelEntry, report: Report, known: Known, layer: string): readonly Candidate[] {
    const planned = this.#tasksOf(entry, report.created).flatMap(leftOf);
    return this.#isOpen(entry, report, layer) ? [...planned, ...untried(report, known, layer)] : planned;
  }

  /** Another one where other fixes of a model are offered untried. */
  stamp(entry: ModelEntry): string {
    return `${isWanted(entry)} ${this.#over.size}`;
  }

  /** After a run that a person has started. */
  begin(entry: ModelEntry, report: Report): void {
    if (mayTry(entry, report)) this.#add(entry, report, NOTHING_FOUND);
  }

  /**
   * When fixes are looked at: they are tried, unless they have been or nobody wants it. Those of a layer go before those
   * of the run, once the look has lasted for a moment.
   * @param known what was found out about the run
   * @param layer the one whose fixes are shown; by default those of the model and of the layers to blame
   */
  look(entry: ModelEntry, report: Report, known: Known, layer?: string): void {
    // Where the run has prices, what is left of its fixes was stopped, or the time was up.
    const wasTried = layer === undefined && known.prices !== undefined;
    if (wasTried || !this.#isOpen(entry, report, layer)) return;
    const planned = new Set(this.#tasksOf(entry, report.created).flatMap(leftOf).map(candidateKey));
    const isPlanned = untried(report, known, layer).every((candidate) => planned.has(candidateKey(candidate)));
    if (!isPlanned) this.#add(entry, report, known, layer);
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
    const ofRuns = this.#queue.tasks.filter(({ layer }) => layer === undefined);
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
      if (report?.created === created && mayTry(entry, report))
        this.#add(entry, report, await readKnown(entry, report));
    }
  }

  #tasksOf(entry: ModelEntry, created: string): readonly PricesTask[] {
    return this.#queue.tasks.filter((task) => isOf(entry, task) && task.created === created);
  }

  /** Whether fixes may be tried that have not been. */
  #isOpen(entry: ModelEntry, report: Report, layer: string | undefined): boolean {
    const isOver = this.#over.has(report.created) || this.#over.has(subjectOf(report, layer));
    return !isOver && mayTry(entry, report);
  }

  #add(entry: ModelEntry, report: Report, known: Known, layer?: string): void {
    const { created } = report;
    // Of the layers that are looked at the last one counts; another run takes the place of all that was left of one.
    this.#queue.drop(
      (task) => isOf(entry, task) && (task.created !== created || (layer !== undefined && task.layer !== undefined)),
    );
    const key = `${entry.folder.toString()} ${layer ?? ''}`;
    this.#queue.add({ key, entry, created, layer, plan: untried(report, known, layer), done: 0 });
    this.#giveWay(this.#needed.jobs.running.length > 0);
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
    const { entry, created, layer } = task;
    const report = await results.report(entry);
    // Another run has taken its place, in a terminal for instance.
    if (report?.created !== created || !vscode.workspace.isTrusted) return;
    const known = await readKnown(entry, report);
    signal.throwIfAborted();
    const fresh = untried(report, known, layer);
    if (fresh.length === 0) return;
    const isFresh = new Set(fresh.map(candidateKey));
    const former = candidatesOf(report, known, layer).filter((candidate) => !isFresh.has(candidateKey(candidate)));
    const tell = (done: number): void => {
      task.done = former.length + done;
      this.#changed.fire();
    };
    task.plan = [...former, ...fresh];
    tell(0);
    const start = performance.now();
    const input = {
      ...{ report: entry.report.fsPath, baseDir: baseFolder(entry, report).fsPath },
      ...{ onlyNew: true, most: MOST, seconds: PRICES_SECONDS, ...(layer === undefined ? {} : { layer }) },
    };
    const onProgress = ({ stage, done }: { readonly stage: string; readonly done: number }): void => {
      if (stage !== 'tune' || signal.aborted) return;
      if (done > 0) results.refresh();
      tell(done);
    };
    await engine.requestInBackground('prices', input, { signal, onProgress });
    this.#over.add(subjectOf(task, layer));
    results.refresh();
    log.info(`Tried ${fresh.length} fixes of ${entry.name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

function subjectOf({ created }: Pick<Report, 'created'>, layer: string | undefined): string {
  return `${created} ${layer ?? ''}`;
}

const isOf = (entry: ModelEntry, task: PricesTask): boolean => task.entry.folder.toString() === entry.folder.toString();

const leftOf = ({ plan, done }: PricesTask): readonly Candidate[] => plan.slice(done);

function candidatesOf(report: Report, { culprits }: Known, layer: string | undefined): Candidate[] {
  return fixesToTry(report, culprits, layer, MOST);
}

function untried(report: Report, known: Known, layer: string | undefined): Candidate[] {
  return candidatesOf(report, known, layer).filter(
    (candidate) => priceOf(known.prices, candidateKey(candidate)) === undefined,
  );
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
