/** The key of the calibration cache: equal only where calibration would see the same tensors. */

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Item } from './types';

/** Change it whenever a sample of the same file could come out differently. */
const VERSION = 1;

/** Larger files count by size and time of change: hashing gigabytes would cost what the cache saves. */
const MAX_HASHED_BYTES = 16 * 2 ** 20;

/**
 * @param settings whatever besides the files decides the tensors; hashed as JSON
 * @returns 64 hexadecimal digits
 */
export async function fingerprintOf(settings: unknown, items: readonly Item[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([VERSION, settings, items.map((item) => item.id)]));
  for (const path of new Set(items.flatMap((item) => item.files))) hash.update(await identity(path));
  return hash.digest('hex');
}

async function identity(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (found === null) return 'missing\n';
  if (found.size > MAX_HASHED_BYTES) return `${found.size} ${found.mtimeMs}\n`;
  const bytes = await readFile(path).catch(() => null);
  return bytes === null ? 'unreadable\n' : `${createHash('sha256').update(bytes).digest('hex')}\n`;
}
