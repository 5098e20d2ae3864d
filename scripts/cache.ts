/** Downloads that outlive a checkout: one folder for all of them, each made completely or not at all. */

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import * as path from 'node:path';

/** `QUANTSCOPE_CACHE`, or `quantscope` in the user's cache folder. */
export function cacheFolder(): string {
  const { QUANTSCOPE_CACHE: own = '', XDG_CACHE_HOME: shared = '' } = process.env;
  if (own !== '') return path.resolve(own);
  return path.join(path.isAbsolute(shared) ? shared : path.join(homedir(), '.cache'), 'quantscope');
}

/**
 * The cached folder `name`, filled by `fill` if it is not there. `fill` writes into a folder of its own that is renamed
 * when it is complete, so that neither a break nor two processes at once leave half of it behind.
 */
export function cached(name: string, fill: (folder: string) => void): string {
  const target = path.join(cacheFolder(), name);
  if (existsSync(target)) return target;
  mkdirSync(path.dirname(target), { recursive: true });
  const folder = mkdtempSync(`${target}.part-`);
  try {
    fill(folder);
    try {
      renameSync(folder, target);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(target)) throw error;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return target;
}
