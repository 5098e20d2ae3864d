/**
 * Tries the fixes of a run after it, without being asked: in a process of low priority, and never while something runs
 * that a person has started. Every price is kept beside the report as soon as it is known, where all views read it, so
 * that nothing is tried twice after an interruption, which a closed window is as well.
 */

import * as vscode from 'vscode';
import { priceOf } from '../../shared/findings';
import { changeKey } from '../../shared/fixes';
import { fixesToTry, type Candidate } from '../../shared/fixesToTry';
import { PRICES_SECONDS } from '../../shared/price';
import type { Report } from '../../shared/report';
import type { EngineHost } from '../engineHost';
import type { JobRunner } from '../jobs/jobRunner';
import type { ModelEntry, ResultStore } from '../results';
import { onSettingChange, setting } from '../settings';
import { BackgroundQueue } from './backgroundQueue';
import { baseFolder, readFinding } from './read';

/** More than a person is likely to look at; where they take long, the time ends before. */
const MOST = 12;
/** Jobs follow each other: so long nothing is begun between two of them. */
const IDLE_MS = 1_000;

interface PricesTask {
  /** The folder of results. */
  readonly key: string;
  readonly entry: ModelEntry;
  /** Of the report whose fixes are tried. */
  readonly created: string;
  /** What is tried, in this order; empty as long as it is not known. */
  plan: readonly Candidate[];
  done: number;
}

/** Fixes of a model that are being tried. */
export interface PricesUnderWay {
  readonly entry: ModelEntry;
  /** `created` of the report. */
  readonly report: string;
  /** What is tried now, and what comes after it. */
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
  #idle: NodeJS.Timeout | undefined;

  /** Fixes are to be tried, one of them is done, or none are left. */
  readonly onDidChange = this.#changed.event;

  constructor(needed: Needed) {
    this.#needed = needed;
    const { jobs, log } = needed;
    this.#queue = new BackgroundQueue<PricesTask>({
      run: (task, signal) => this.#run(task, signal),
      failed: ({ entry }, { code, message }) => log.warn(`Trying fixes of ${entry.name}: ${code}: ${message}`),
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
      }),
    ];
    void this.#goOn();
  }

  get underWay(): readonly PricesUnderWay[] {
    return this.#queue.tasks.map((task) => this.#underWay(task));
  }

  of(entry: ModelEntry): PricesUnderWay | undefined {
    const task = this.#queue.tasks.find(({ key }) => key === keyOf(entry));
    return task === undefined ? undefined : this.#underWay(task);
  }

  /** After a run that a person has started. */
  begin(entry: ModelEntry, { framework, created, recipe }: Report): void {
    const hasData = (recipe.validate ?? recipe.calibration) !== undefined;
    if (framework !== 'onnx' || !hasData || !isWanted(entry)) return;
    this.#add(entry, created);
  }

  /** @param entry only its fixes; by default those of all models */
  stop(entry?: ModelEntry): void {
    this.#queue.drop(({ key }) => entry === undefined || key === keyOf(entry));
  }

  dispose(): void {
    clearTimeout(this.#idle);
    this.#queue.hold();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #keep(): void {
    const left = this.#queue.tasks.map(({ entry, created }): Left => ({ recipe: entry.recipe.toString(), created }));
    void this.#needed.memory.update(LEFT, left);
  }

  async #goOn(): Promise<void> {
    const { results, memory } = this.#needed;
    // The newest is worked on first, and comes last.
    for (const { recipe, created } of memory.get<readonly Left[]>(LEFT, []).toReversed()) {
      const entry = await results.entryOf(vscode.Uri.parse(recipe));
      if (isWanted(entry)) this.#add(entry, created);
    }
  }

  #add(entry: ModelEntry, created: string): void {
    this.#queue.add({ key: keyOf(entry), entry, created, plan: [], done: 0 });
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

  #underWay(task: PricesTask): PricesUnderWay {
    const { entry, created, plan, done } = task;
    const waits = !this.#queue.isRunning(task);
    return { entry, report: created, planned: plan.slice(done), done, total: plan.length, waits };
  }

  async #run(task: PricesTask, signal: AbortSignal): Promise<void> {
    const { engine, results, log } = this.#needed;
    const { entry, created } = task;
    const report = await results.report(entry);
    // Another run has taken its place, in a terminal for instance.
    if (report?.created !== created || !vscode.workspace.isTrusted) return;
    const known = await readFinding(entry, report, 'prices');
    const candidates = fixesToTry(report, await readFinding(entry, report, 'culprits'), undefined, MOST);
    const isKnown = ({ fix }: Candidate): boolean => priceOf(known, changeKey(fix.change)) !== undefined;
    const former = candidates.filter(isKnown);
    const fresh = candidates.filter((candidate) => !isKnown(candidate));
    if (fresh.length === 0 || signal.aborted) return;
    const tell = (done: number): void => {
      task.done = former.length + done;
      this.#changed.fire();
    };
    task.plan = [...former, ...fresh];
    tell(0);
    const start = performance.now();
    const input = {
      ...{ report: entry.report.fsPath, baseDir: baseFolder(entry, report).fsPath },
      ...{ onlyNew: true, most: MOST, seconds: PRICES_SECONDS },
    };
    const onProgress = ({ stage, done }: { readonly stage: string; readonly done: number }): void => {
      if (stage !== 'tune' || signal.aborted) return;
      if (done > 0) results.refresh();
      tell(done);
    };
    await engine.requestInBackground('prices', input, { signal, onProgress });
    results.refresh();
    log.info(`Tried ${fresh.length} fixes of ${entry.name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

const keyOf = ({ folder }: ModelEntry): string => folder.toString();

function isWanted({ model }: ModelEntry): boolean {
  return setting('prices.measure', model) === 'automatically';
}
