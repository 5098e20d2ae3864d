/** How many threads a session may be told to use. */

import * as os from 'node:os';
import { QuantscopeError } from '../../shared/errors';

/**
 * Every session starts all its threads at once and wakes them for every operator: thousands bring a machine to a
 * halt. More than a few for each core only wait for one another; 64 is what a small machine bears as well.
 */
export const MOST_THREADS = Math.max(64, 4 * os.availableParallelism());

/** @throws `usage` above {@link MOST_THREADS} */
export function checkThreads(threads: number | undefined): void {
  if (threads === undefined || threads <= MOST_THREADS) return;
  const cores = os.availableParallelism();
  throw new QuantscopeError('usage', `${threads} threads are too many; this machine takes at most ${MOST_THREADS}.`, {
    hint: `It has ${cores === 1 ? 'one core' : `${cores} cores`}, and more threads than cores are no faster.`,
  });
}
