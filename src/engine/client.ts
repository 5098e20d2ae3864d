/**
 * The engine as its clients use it, the terminal and the extension alike: ask for a job, get its result.
 * Starts the process when it is needed, notices when it crashes, and cancels at once even where
 * native code does not listen. Imports neither the core nor `vscode`.
 */

import * as path from 'node:path';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import type { OnProgress } from '../shared/progress';
import type { JobName, JobOptions, JobRequest, Jobs, LogLevel } from '../shared/protocol';
import { describeEnd, EngineProcess, type Gone, type LaunchOptions } from './process';

export interface EngineClientOptions extends Omit<LaunchOptions, 'entry'> {
  /** The engine's program, by default the one beside this. */
  readonly entry?: string;
  /** Log lines of the engine, and what native code printed. */
  readonly onLog?: (level: LogLevel, line: string) => void;
}

export interface RequestOptions extends JobOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** A job that the engine has not answered yet. */
interface Pending {
  readonly job: number;
  readonly name: JobName;
  readonly request: JobRequest<JobName>;
  readonly onProgress: OnProgress | undefined;
  readonly token: CancellationTokenSource;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: QuantscopeError) => void;
  /** Its caller has got a result or an error; the engine may still be busy with it. */
  settled: boolean;
  sent: boolean;
}

/**
 * onnxruntime's `run` blocks the engine's thread, which then reads no message: an engine that has not
 * let go of a cancelled job by then is killed. Leaves 50 ms of the 300 ms in which a cancel must work.
 */
const CANCEL_GRACE_MS = 250;

/** Run from its sources the engine is a source file too; bundled, it lies beside the bundle that uses it. */
const DEFAULT_ENTRY = path.join(__dirname, path.extname(__filename) === '.ts' ? 'main.ts' : 'engine.js');

export class EngineClient {
  readonly #options: EngineClientOptions;
  /** In the order in which they were asked for, which is the order in which the engine runs them. */
  readonly #pending: Pending[] = [];
  #engine: EngineProcess | undefined;
  #jobs = 0;
  #disposed = false;

  constructor(options: EngineClientOptions) {
    this.#options = options;
  }

  /** Process id of the engine while there is one. */
  get pid(): number | undefined {
    return this.#engine?.pid;
  }

  /**
   * Runs a job; jobs run one after the other. A cancelled job rejects with `cancelled` within 300 ms.
   * @throws the job's own errors; `cancelled`; `engine-crashed` where the engine ended during this job, after
   *   which the jobs behind it run in a new engine; `protocol-mismatch`
   */
  request<N extends JobName>(
    name: N,
    input: Jobs[N]['input'],
    options: RequestOptions = {},
  ): Promise<Jobs[N]['output']> {
    const { signal, onProgress, ...jobOptions } = options;
    if (this.#disposed || signal?.aborted === true) return Promise.reject(cancelled(name));
    return new Promise<Jobs[N]['output']>((resolve, reject) => {
      const job = ++this.#jobs;
      const onAbort = (): void => {
        this.#cancel(pending);
      };
      const settle = (finish: () => void): void => {
        if (pending.settled) return;
        pending.settled = true;
        signal?.removeEventListener('abort', onAbort);
        finish();
      };
      const pending: Pending = {
        job,
        name,
        request: { job, input, options: jobOptions },
        onProgress,
        token: new CancellationTokenSource(),
        resolve: (output) => {
          settle(() => {
            resolve(output as Jobs[N]['output']);
          });
        },
        reject: (error) => {
          settle(() => {
            reject(error);
          });
        },
        settled: false,
        sent: false,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.push(pending);
      this.#sendWaiting();
    });
  }

  /** Ends the engine; jobs that have not finished reject with `cancelled`. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const pending of this.#pending.splice(0)) pending.reject(cancelled(pending.name));
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.shutdown();
  }

  #start(): EngineProcess {
    const { entry = DEFAULT_ENTRY, onLog, ...launch } = this.#options;
    const engine = new EngineProcess(
      { ...launch, entry },
      {
        onProgress: (job, progress) => {
          const pending = this.#pending.find((p) => p.job === job);
          if (pending?.settled === false) pending.onProgress?.(progress);
        },
        onLog: onLog ?? (() => undefined),
      },
    );
    void engine.ready
      .then(() => engine.gone)
      .then(
        (gone) => {
          this.#onGone(engine, gone);
        },
        (error: unknown) => {
          this.#onUnusable(engine, toQuantscopeError(error, 'engine-crashed'));
        },
      );
    return engine;
  }

  /** Sends what has not been sent to the present engine, starting one where there is none. */
  #sendWaiting(): void {
    if (this.#pending.every((p) => p.sent)) return;
    const engine = (this.#engine ??= this.#start());
    engine.ready.then(
      () => {
        if (this.#engine !== engine) return;
        for (const pending of this.#pending) if (!pending.sent) void this.#run(engine, pending);
      },
      () => undefined,
    );
  }

  async #run(engine: EngineProcess, pending: Pending): Promise<void> {
    pending.sent = true;
    try {
      const answer = await engine.run(pending.name, pending.request, pending.token.token);
      if (answer === undefined || this.#engine !== engine) return;
      pending.resolve(answer.output);
    } catch (error) {
      if (this.#engine !== engine) return;
      // What stops a job may stop what it had started as well, and that is no failure any more.
      pending.reject(wasCancelled(pending) ? cancelled(pending.name) : toQuantscopeError(error));
    }
    this.#remove(pending);
  }

  #remove(pending: Pending): void {
    const place = this.#pending.indexOf(pending);
    if (place >= 0) this.#pending.splice(place, 1);
  }

  #cancel(pending: Pending): void {
    if (!pending.sent) {
      this.#remove(pending);
      pending.reject(cancelled(pending.name));
      return;
    }
    pending.token.cancel();
    // One that waits behind another is the client's own to give up; the engine skips it when its turn comes.
    if (this.#pending[0] !== pending) pending.reject(cancelled(pending.name));
    const engine = this.#engine;
    setTimeout(() => {
      if (this.#engine === engine && this.#pending[0] === pending) this.#abandon(pending);
    }, CANCEL_GRACE_MS);
  }

  /** The engine does not let go of a cancelled job: end it, and go on with the jobs behind in a new one. */
  #abandon(pending: Pending): void {
    const engine = this.#engine;
    this.#engine = undefined;
    engine?.kill();
    pending.reject(cancelled(pending.name));
    this.#resume();
  }

  #onGone(engine: EngineProcess, gone: Gone): void {
    if (this.#engine !== engine) return;
    this.#engine = undefined;
    const [first] = this.#pending;
    if (first?.sent === true) {
      this.#remove(first);
      const message = `The engine ended (${describeEnd(gone)}) while it ran ${describeJob(first)}.`;
      first.reject(wasCancelled(first) ? cancelled(first.name) : new QuantscopeError('engine-crashed', message));
    }
    this.#resume();
  }

  /** A start that fails would fail again: every job gets the error. */
  #onUnusable(engine: EngineProcess, error: QuantscopeError): void {
    if (this.#engine === engine) {
      this.#engine = undefined;
      for (const pending of this.#pending.splice(0)) pending.reject(error);
    }
    engine.kill();
  }

  /** Sends what is left again, to a new engine. */
  #resume(): void {
    for (const pending of [...this.#pending]) {
      pending.sent = false;
      if (pending.settled) this.#remove(pending);
    }
    this.#sendWaiting();
  }
}

function cancelled(name: JobName): QuantscopeError {
  return new QuantscopeError('cancelled', `The job "${name}" was cancelled.`);
}

function wasCancelled({ token }: Pending): boolean {
  return token.token.isCancellationRequested;
}

/** `quantize net.onnx`: what the report of a crash names. */
function describeJob({ name, request: { input } }: Pending): string {
  return `${name} ${subjects(input).join(' ')}`;
}

function subjects(input: Pending['request']['input']): readonly string[] {
  if ('models' in input) return input.models;
  if ('model' in input) return [input.model];
  if ('recipe' in input) return [input.recipe.model];
  return 'layer' in input ? [input.report, input.layer] : [input.report];
}
