/**
 * Where measured tensors go: a thread of its own where there is one, so that binning one sample
 * overlaps with the inference of the next, which blocks the main thread.
 */

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as path from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { QuantscopeError } from '../../shared/errors';
import { TensorStats } from './histogram';

/** By tensor its values in a sample. */
export type Measured = readonly (readonly [name: string, values: Float32Array<ArrayBuffer>])[];

export interface StatsSink {
  /** Adds one sample's tensors; their memory may be gone afterwards. Resolves as soon as there is room for the next. */
  observe(sample: number, tensors: Measured): Promise<void>;
  finish(): Promise<Map<string, TensorStats>>;
  close(): Promise<void>;
}

/** What the worker is told, and what it answers: an acknowledgement a sample, at the end the statistics. */
export type SinkRequest = { readonly sample: number; readonly tensors: Measured } | 'finish';
export type SinkReply = 'observed' | readonly (readonly [name: string, stats: Uint8Array])[];

/** Bundled beside the program; there is none where the sources run directly. */
const WORKER_FILE = path.join(__dirname, 'statsWorker.js');

/** Samples on their way to the worker: one being binned and one waiting. */
const MOST_WAITING = 2;

export function openSink(): StatsSink {
  return availableParallelism() > 1 && existsSync(WORKER_FILE) ? new WorkerSink(WORKER_FILE) : new InlineSink();
}

/** The buffers of a sample; tensors that share their memory have one together. */
function buffersOf(tensors: Measured): ArrayBuffer[] {
  return [...new Set(tensors.map(([, values]) => values.buffer))];
}

export class InlineSink implements StatsSink {
  readonly #stats = new Map<string, TensorStats>();
  /** Drops what it is sent, and with it the memory that was moved: the garbage collector lets dozens of MB gather. */
  readonly #closed = closedPort();

  observe(sample: number, tensors: Measured): Promise<void> {
    for (const [name, values] of tensors) {
      const stats = this.#stats.get(name) ?? new TensorStats();
      this.#stats.set(name, stats);
      stats.observe(values, sample);
    }
    this.#closed.postMessage(undefined, buffersOf(tensors));
    return Promise.resolve();
  }

  finish(): Promise<Map<string, TensorStats>> {
    return Promise.resolve(this.#stats);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.close();
  return port1;
}

export class WorkerSink implements StatsSink {
  readonly #worker: Worker;
  #waiting = 0;
  #failure: Error | undefined;
  #statistics: Extract<SinkReply, readonly unknown[]> | undefined;
  #wake: () => void = () => undefined;

  constructor(file: string) {
    this.#worker = new Worker(file);
    this.#worker.on('message', (reply: SinkReply) => {
      if (reply === 'observed') this.#waiting--;
      else this.#statistics = reply;
      this.#wake();
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    this.#worker.on('exit', () => {
      this.#failure ??= new Error('The statistics thread ended.');
      this.#wake();
    });
  }

  async observe(sample: number, tensors: Measured): Promise<void> {
    // The memory moves to the other thread; a tensor that shares its memory with another moves once.
    this.#post({ sample, tensors }, buffersOf(tensors));
    this.#waiting++;
    await this.#until(() => this.#waiting < MOST_WAITING);
  }

  async finish(): Promise<Map<string, TensorStats>> {
    this.#post('finish', []);
    await this.#until(() => this.#statistics !== undefined);
    return new Map((this.#statistics ?? []).map(([name, bytes]) => [name, TensorStats.fromBytes(bytes)]));
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(request: SinkRequest, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(request, transfer);
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#failure !== undefined) {
        throw new QuantscopeError('internal', `Measuring failed: ${this.#failure.message}`, { cause: this.#failure });
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
