/** The end of an engine whose client was killed. */

import { Worker } from 'node:worker_threads';

/**
 * A thread of its own, because `disconnect` is not heard while native code blocks the engine's: a kernel may run for
 * minutes, for nobody. An orphan gets another parent; on Windows it keeps the number of the one that is gone.
 */
const WATCH = `
const { parent, engine } = require('node:worker_threads').workerData;
const orphaned = () => {
  if (process.ppid !== parent) return true;
  try {
    return !process.kill(parent, 0);
  } catch (error) {
    return error.code === 'ESRCH';
  }
};
setInterval(() => {
  if (orphaned()) process.kill(engine, 'SIGKILL');
}, 1000);
`;

/** Ends this process, whatever it does, soon after the one that started it has ended. */
export function endWithParent(): void {
  const workerData = { parent: process.ppid, engine: process.pid };
  new Worker(WATCH, { eval: true, workerData, execArgv: [] }).unref();
}
