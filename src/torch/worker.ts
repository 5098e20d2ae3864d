/** One Python process that does what it is asked, one request after the other. */

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import type { Sample } from '../core/data/types';
import type { JobContext } from '../core/pipeline/types';
import { QuantscopeError, throwIfCancelled } from '../shared/errors';
import { failureError } from './failure';
import { messageSchema, progressEventSchema, type Failure } from './protocol';

/** Beside this file in the sources, beside the bundle in the package. */
export const WORKER_FOLDER = path.join(__dirname, 'worker');

export interface Request {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Sent behind the request, as fast as the worker reads. */
  readonly samples?: AsyncIterable<Sample> | Iterable<Sample>;
  readonly onEvent?: (event: Readonly<Record<string, unknown>> & { readonly event: string }) => void;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onEvent: Request['onEvent'];
  readonly id: number;
}

const LAST_LINES = 20;

export class TorchWorker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #context: JobContext;
  readonly #python: string;
  readonly #printed: string[] = [];
  readonly #folders: string[] = [];
  readonly #gone: Promise<void>;
  #pending: Pending | undefined;
  #next = 1;
  #ended = false;
  readonly #cancel = (): void => {
    this.#child.kill('SIGKILL');
  };

  /**
   * Starts the interpreter; whether it could shows in the first request.
   * @param cwd of the process: what the user's code opens by relative names
   * @throws `torch-untrusted` before anything is started
   */
  constructor(python: string, cwd: string, context: JobContext) {
    if (context.trusted !== true) {
      throw new QuantscopeError('torch-untrusted', 'Python was not started: running code was not allowed.');
    }
    throwIfCancelled(context.signal);
    this.#context = context;
    this.#python = python;
    this.#child = spawn(python, ['-u', '-X', 'utf8', WORKER_FOLDER], {
      cwd,
      stdio: 'pipe',
      // Threads that spin while they wait make everything slow where a core has other work. No bytecode beside our files.
      env: { OMP_WAIT_POLICY: 'PASSIVE', ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    context.signal?.addEventListener('abort', this.#cancel, { once: true });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#receive(line);
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#printed.push(line);
      if (this.#printed.length > LAST_LINES) this.#printed.shift();
      context.log?.(line);
    });
    // A broken pipe only says what the end of the process says better.
    this.#child.stdin.on('error', () => undefined);
    this.#gone = new Promise((resolve) => {
      const end = (how: string) => (): void => {
        this.#end(how);
        resolve();
      };
      this.#child.on('error', (error) => {
        end(error.message)();
      });
      this.#child.on('close', (code, signal) => {
        end(signal ?? `exit code ${String(code)}`)();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws `torch-failed`, `torch-missing`, `torch-crashed`, `cancelled` */
  async ask<S extends z.ZodType>(schema: S, request: Request): Promise<z.infer<S>> {
    throwIfCancelled(this.#context.signal);
    if (this.#ended) throw this.#crash('it has ended');
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending = { id, resolve, reject, onEvent: request.onEvent };
    });
    // The answer may be a failure that comes while samples are still being sent.
    const settled = new AbortController();
    const done = answer.finally(() => settled.abort());
    done.catch(() => undefined);
    await this.#write(`${JSON.stringify({ id, method: request.method, params: request.params ?? {} })}\n`);
    if (request.samples !== undefined) {
      for await (const sample of request.samples) {
        if (settled.signal.aborted) break;
        await this.#send(sample);
      }
      await this.#write('{"end":true}\n');
    }
    const parsed = schema.safeParse(await done);
    if (parsed.success) return parsed.data;
    throw new QuantscopeError(
      'internal',
      `The Python worker answered "${request.method}" wrongly: ${parsed.error.message}`,
    );
  }

  /** A new folder, which goes with the process. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-torch-data-'));
    this.#folders.push(folder);
    return folder;
  }

  /** Lets the process end by itself; it has nothing to keep. */
  async close(): Promise<void> {
    this.#context.signal?.removeEventListener('abort', this.#cancel);
    this.#child.stdin.end();
    const timer = setTimeout(this.#cancel, CLOSE_GRACE_MS);
    await this.#gone;
    clearTimeout(timer);
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }

  async #send({ id, feeds }: Sample): Promise<void> {
    const tensors = Object.entries(feeds).map(([name, { type, dims, data }]) => {
      return { name, type, shape: dims, bytes: data.byteLength };
    });
    await this.#write(`${JSON.stringify({ sample: id, tensors })}\n`);
    for (const { data } of Object.values(feeds)) {
      await this.#write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }

  async #write(chunk: string | Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    if (this.#ended || stdin.destroyed || stdin.write(chunk)) return;
    await Promise.race([once(stdin, 'drain').catch(() => undefined), this.#gone]);
  }

  #receive(line: string): void {
    let message;
    try {
      message = messageSchema.parse(JSON.parse(line));
    } catch (error) {
      this.#pending?.reject(
        new QuantscopeError('internal', 'The Python worker sent a line that is none of its own.', { cause: error }),
      );
      return;
    }
    if ('event' in message) this.#event(message);
    else if (message.id === this.#pending?.id) {
      const { resolve, reject } = this.#pending;
      this.#pending = undefined;
      if ('error' in message) reject(this.#failed(message.error));
      else resolve(message.result);
    }
  }

  #event(event: Readonly<Record<string, unknown>> & { readonly event: string }): void {
    if (event.event !== 'progress') {
      this.#pending?.onEvent?.(event);
      return;
    }
    const { stage, done, total, rate } = progressEventSchema.parse(event);
    const left = rate === undefined || rate <= 0 ? {} : { rate, secondsLeft: Math.max(0, total - done) / rate };
    this.#context.onProgress?.({ stage, done, total, ...left });
  }

  #failed(failure: Failure): QuantscopeError {
    for (const line of failure.traceback.trimEnd().split('\n')) this.#context.log?.(line);
    return failureError(failure);
  }

  #end(how: string): void {
    this.#ended = true;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(
      this.#context.signal?.aborted === true
        ? new QuantscopeError('cancelled', 'The run was cancelled.')
        : this.#crash(how),
    );
  }

  #crash(how: string): QuantscopeError {
    if (this.#child.pid === undefined) {
      return new QuantscopeError('torch-missing', `Python cannot be started as "${this.#python}": ${how}.`);
    }
    const last = this.#printed.filter((line) => line.trim() !== '').at(-1);
    return new QuantscopeError(
      'torch-crashed',
      `The Python process ended (${how})${last === undefined ? '' : `: ${last}`}.`,
    );
  }
}

const CLOSE_GRACE_MS = 2_000;
