/** Two models in turns on one thread, so that what slows the machine slows both. */

import { throwIfCancelled } from '../../shared/errors';
import type { Feeds } from '../data/types';
import type { OnnxModel } from '../onnx/model';
import { openDeployed } from '../runtime/deployed';
import type { Session } from '../runtime/session';

const WARMUP = 3;
export const MOST_ROUNDS = 25;
const FEWEST_ROUNDS = 5;
/** A large model is timed as often as this allows. */
const BUDGET_MS = 1_500;

/**
 * @param most rounds, of which at least a few are run
 * @returns second ÷ first, one entry a round
 */
export async function pairedRatios(
  first: OnnxModel,
  second: OnnxModel,
  feeds: Feeds,
  most: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const sessions: Session[] = [];
  try {
    for (const model of [first, second]) sessions.push(await openDeployed(model, { threads: 1 }));
    const ratios: number[] = [];
    const end = performance.now() + BUDGET_MS;
    for (let round = -WARMUP; round < most; round++) {
      if (round >= FEWEST_ROUNDS && performance.now() > end) break;
      throwIfCancelled(signal);
      const times = [0, 0];
      // Each second round goes backwards: neither always finds the other's leftovers in the cache.
      for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const start = performance.now();
        await sessions[index]!.run(feeds);
        times[index] = performance.now() - start;
      }
      if (round >= 0) ratios.push(times[1]! / times[0]!);
    }
    return Float64Array.from(ratios);
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}
