/** How long one inference of a model and of its int8 copy takes, measured in passing at the end of a run. */

import { throwIfCancelled } from '../../shared/errors';
import type { OnProgress } from '../../shared/progress';
import type { LatencyReport } from '../../shared/report';
import type { OnnxModel } from '../onnx/model';
import { openDeployed } from '../runtime/deployed';
import type { Feeds, Session } from '../runtime/session';
import { speedup } from './speedup';
import { median } from './statistics';

/** All in milliseconds. */
const BUDGET = 1000;
/** A longer round is not worth another four. */
const LONGEST_ROUND = 2000;
const FEWEST_ROUNDS = 5;
const MOST_ROUNDS = 200;

export interface LatencyContext {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Both models in turn, on one thread, for about a second. `null` where one round takes too long. */
export async function measureLatency(
  models: { readonly fp32: OnnxModel; readonly int8: OnnxModel },
  feeds: Feeds,
  { signal, onProgress }: LatencyContext,
): Promise<LatencyReport | null> {
  const fp32 = await openDeployed(models.fp32, { threads: 1 });
  try {
    const int8 = await openDeployed(models.int8, { threads: 1 });
    try {
      return await race(fp32, int8, feeds, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
    } finally {
      await int8.close();
    }
  } finally {
    await fp32.close();
  }
}

async function race(
  fp32: Session,
  int8: Session,
  feeds: Feeds,
  { signal, onProgress }: LatencyContext,
): Promise<LatencyReport | null> {
  const times = { fp32: [] as number[], int8: [] as number[] };
  const round = async (fp32First: boolean): Promise<void> => {
    // The order changes, so that neither model always finds the other's leftovers in the cache.
    for (const name of fp32First ? (['fp32', 'int8'] as const) : (['int8', 'fp32'] as const)) {
      const start = performance.now();
      await (name === 'fp32' ? fp32 : int8).run(feeds);
      times[name].push(performance.now() - start);
    }
  };
  const warm = performance.now();
  await round(true);
  if (performance.now() - warm > LONGEST_ROUND) return null;
  times.fp32.length = 0;
  times.int8.length = 0;

  const start = performance.now();
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds++) {
    const spent = performance.now() - start;
    if (rounds >= FEWEST_ROUNDS && spent > BUDGET) break;
    onProgress?.({ stage: 'benchmark', done: Math.min(Math.round(spent), BUDGET), total: BUDGET });
    // Lets messages in, among them the one that cancels.
    await new Promise((resolve) => setImmediate(resolve));
    throwIfCancelled(signal);
    await round(rounds % 2 === 1);
  }
  return {
    threads: 1,
    runs: times.fp32.length,
    fp32: median(times.fp32),
    int8: median(times.int8),
    ...speedup(times.fp32, times.int8),
  };
}
