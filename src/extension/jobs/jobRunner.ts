/**
 * Jobs that a person has started: each with a notification that can be cancelled. What runs, and how the last one
 * failed, is told to the status bar and to every view.
 */

import * as vscode from 'vscode';
import { toQuantscopeError, type QuantscopeError } from '../../shared/errors';
import type { OnProgress, Progress, Stage } from '../../shared/progress';
import { percentDone, progressText } from './progressText';
import type { ModelEntry } from '../results';
import { setContext } from '../settings';

export interface RunningJob {
  /** `Quantizing`, `Benchmarking`. */
  readonly title: string;
  readonly entry: ModelEntry;
  /** `undefined` as long as it waits or starts. */
  readonly progress: Progress | undefined;
  cancel(): void;
}

export interface JobOptions {
  readonly title: string;
  readonly entry: ModelEntry;
  /** The one stage that the job has, if it has only one. */
  readonly stage?: Stage;
}

export interface JobContext {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** Faster than anybody reads costs more than it tells. */
const INTERVAL_MS = 100;

class Job implements RunningJob {
  readonly title: string;
  readonly entry: ModelEntry;
  progress: Progress | undefined;
  readonly #controller = new AbortController();

  constructor({ title, entry }: JobOptions) {
    this.title = title;
    this.entry = entry;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  cancel(): void {
    this.#controller.abort();
  }
}

const keyOf = ({ folder }: ModelEntry): string => folder.toString();

export class JobRunner implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #jobs: Job[] = [];
  readonly #failures = new Map<string, QuantscopeError>();
  readonly #log: vscode.LogOutputChannel;

  /** A job started, went on, or ended. */
  readonly onDidChange = this.#changed.event;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  /** In the order of their start. The engine runs one at a time. */
  get running(): readonly RunningJob[] {
    return this.#jobs;
  }

  of(entry: ModelEntry): RunningJob | undefined {
    return this.#jobs.find((job) => keyOf(job.entry) === keyOf(entry));
  }

  /** How the last job of a model failed; `undefined` if it succeeded, was cancelled, or another one runs. */
  failure(entry: ModelEntry): QuantscopeError | undefined {
    return this.#failures.get(keyOf(entry));
  }

  /** @throws what the work throws, as QuantscopeError; `cancelled` */
  async run<T>(options: JobOptions, work: (context: JobContext) => Promise<T>): Promise<T> {
    const job = new Job(options);
    const { title, entry, stage } = options;
    const what = `${title} ${entry.name}`;
    const start = performance.now();
    this.#failures.delete(keyOf(entry));
    this.#jobs.push(job);
    this.#tell();
    this.#log.info(what);
    try {
      const result = await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Notification, title: what, cancellable: true },
        (progress, token) => {
          token.onCancellationRequested(() => job.cancel());
          if (this.#jobs[0] !== job) progress.report({ message: 'waiting for the job before it' });
          return work({ signal: job.signal, onProgress: this.#watch(job, progress, stage) });
        },
      );
      this.#log.info(`${what}: done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
      return result;
    } catch (thrown) {
      const error = toQuantscopeError(thrown);
      if (error.code === 'cancelled') this.#log.info(`${what}: cancelled`);
      else {
        this.#failures.set(keyOf(entry), error);
        this.#log.error(`${what}: ${error.code}: ${error.message} ${error.hint}`);
        if (error.code === 'internal') this.#log.error(error);
      }
      throw error;
    } finally {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      this.#tell();
    }
  }

  cancelAll(): void {
    for (const job of this.#jobs) job.cancel();
  }

  dispose(): void {
    this.cancelAll();
    this.#changed.dispose();
  }

  #watch(
    job: Job,
    bar: vscode.Progress<{ message?: string; increment?: number }>,
    only: Stage | undefined,
  ): OnProgress {
    let shown = 0;
    let last = -Infinity;
    return (progress) => {
      const now = performance.now();
      if (job.progress?.stage === progress.stage && progress.done < progress.total && now - last < INTERVAL_MS) return;
      last = now;
      job.progress = progress;
      const percent = Math.max(shown, percentDone(progress, only));
      bar.report({ message: progressText(progress), increment: percent - shown });
      shown = percent;
      this.#tell();
    };
  }

  #tell(): void {
    setContext('quantscope.running', this.#jobs.length > 0);
    this.#changed.fire();
  }
}
