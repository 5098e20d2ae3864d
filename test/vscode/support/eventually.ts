import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;

/** Asks again until the answer is accepted, and returns it; throws with the last answer once the time is over. */
export async function eventually<T>(
  ask: () => T | Promise<T>,
  accept: (answer: T) => boolean,
  patience = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    const answer = await ask();
    if (accept(answer)) return answer;
    if (performance.now() > end)
      throw new Error(`Not within ${patience} ms; the last answer: ${JSON.stringify(answer)}`);
    await sleep(PAUSE_MS);
  }
}
