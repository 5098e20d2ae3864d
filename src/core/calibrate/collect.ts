/** Runs the calibration data through the model once and keeps statistics, never the tensors. */

import { setImmediate } from 'node:timers/promises';
import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { OnProgress } from '../../shared/progress';
import type { Dataset, Feeds } from '../data/types';
import { toFloat32, type Tensor } from '../tensor';
import { planGroups, type MeasuredTensor } from './groups';
import type { TensorStats } from './histogram';
import type { Settling } from './settling';
import { openSink, type Measured } from './sink';

export const DEFAULT_MEMORY_CAP = 2 ** 30;
const PROGRESS_INTERVAL_MS = 100;

export interface CollectOptions {
  /** Most bytes of measured tensors in memory at once; default 1 GiB. Less costs passes over the data. */
  readonly memoryCapBytes?: number;
  readonly signal?: AbortSignal;
  /** At most about ten times a second, and once at the end. */
  readonly onProgress?: OnProgress;
  /** Asked after each sample whether no more are needed. Only of data that are read in one pass. */
  readonly settling?: Settling;
}

export interface Collected {
  readonly stats: Map<string, TensorStats>;
  /** Samples that the statistics are of. */
  readonly samples: number;
}

/** A session whose outputs are the tensors asked for. */
export interface CalibrationSession {
  run(feeds: Feeds): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/**
 * Statistics of every tensor over the dataset, in one pass, or in one pass per group where all
 * tensors of one sample exceed the memory cap. A sample's index is its place in `dataset.ids`.
 * Throws `cancelled`, `data-empty` where the data hold no sample, `internal` where a session does
 * not give a tensor it was opened for, and whatever session and data throw; sessions are closed.
 */
export async function collectStats(
  open: (outputs: readonly string[]) => Promise<CalibrationSession>,
  tensors: readonly MeasuredTensor[],
  dataset: Dataset,
  options: CollectOptions = {},
): Promise<Collected> {
  const { memoryCapBytes = DEFAULT_MEMORY_CAP, signal, onProgress } = options;
  const groups = planGroups(tensors, memoryCapBytes);
  // Groups that stop at different samples would have ranges of different data.
  const settling = groups.length === 1 ? options.settling : undefined;
  const indices = new Map(dataset.ids.map((id, index) => [id, index]));
  const step = progressSteps(dataset.count * groups.length, onProgress);
  const sink = openSink();
  let stats: Map<string, TensorStats>;
  let samples = 0;
  try {
    for (const [pass, names] of groups.entries()) {
      throwIfCancelled(signal);
      const session = await open(names);
      try {
        let seen = 0;
        for await (const sample of dataset.samples(signal)) {
          throwIfCancelled(signal);
          const tensors = measured(names, await session.run(sample.feeds), sample.feeds);
          // Before their memory moves to the sink.
          const enough = settling?.observe(tensors) === true;
          await sink.observe(indices.get(sample.id) ?? seen, tensors);
          seen++;
          step(pass * dataset.count + seen, sample.id);
          // A run blocks the thread: let cancellation and messages in.
          await setImmediate();
          if (enough) break;
        }
        samples = seen;
        if (seen === 0) throw new QuantscopeError('data-empty', `No sample could be read: ${dataset.description}`);
      } finally {
        await session.close();
      }
    }
    stats = await sink.finish();
  } finally {
    await sink.close();
  }
  throwIfCancelled(signal);
  onProgress?.({ stage: 'calibrate', done: dataset.count * groups.length, total: dataset.count * groups.length });
  return { stats, samples };
}

/** The tensors of a sample, in memory that the sink may take: a feed stays the dataset's. */
function measured(names: readonly string[], outputs: Readonly<Record<string, Tensor>>, feeds: Feeds): Measured {
  return names.map((name) => {
    const tensor = outputs[name];
    if (tensor === undefined) throw new QuantscopeError('internal', `The session gave no tensor "${name}".`);
    const values = toFloat32(tensor);
    const own = feeds[name] === tensor || values.byteLength < values.buffer.byteLength;
    return [name, (own ? values.slice() : values) as Float32Array<ArrayBuffer>] as const;
  });
}

function progressSteps(total: number, onProgress: OnProgress | undefined): (done: number, message: string) => void {
  const started = performance.now();
  let reported = -Infinity;
  return (done, message) => {
    const now = performance.now();
    if (onProgress === undefined || now - reported < PROGRESS_INTERVAL_MS) return;
    reported = now;
    const rate = (1000 * done) / Math.max(1, now - started);
    onProgress({ stage: 'calibrate', done, total, rate, secondsLeft: (total - done) / rate, message });
  };
}
