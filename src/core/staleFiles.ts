/** Names of temporary files that tell whose they are, and removal of those whose process died before it could. */

import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';

const TEMPORARY = /^\..+\.(\d+)-[0-9a-f]{12}\.tmp$/;

/** A name beside `file` that no other process picks: a rename is atomic only within one file system. */
export function temporaryName(file: string): string {
  const unique = `${process.pid}-${randomBytes(6).toString('hex')}`;
  return path.join(path.dirname(file), `.${path.basename(file)}.${unique}.tmp`);
}

/**
 * Removes what a killed process left in a folder. Files of a living process stay, and so does whatever
 * cannot be removed; a folder that does not exist has none.
 * @returns the names of the files removed
 */
export async function removeStaleTemporaries(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const stale = names.filter((name) => {
    const [, pid] = TEMPORARY.exec(name) ?? [];
    return pid !== undefined && !isAlive(Number(pid));
  });
  const removed = await Promise.all(
    stale.map((name) =>
      rm(path.join(folder, name)).then(
        () => [name],
        () => [],
      ),
    ),
  );
  return removed.flat();
}

/**
 * The same for folders of which the name is a prefix, the id of the process and a dash with whatever makes it unique.
 * @returns their names
 */
export async function removeStaleFolders(folder: string, prefix: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const stale = names.filter((name) => {
    const [, pid] = name.startsWith(prefix) ? (/^(\d+)-[^-]+$/.exec(name.slice(prefix.length)) ?? []) : [];
    return pid !== undefined && !isAlive(Number(pid));
  });
  await Promise.all(stale.map((name) => rm(path.join(folder, name), { recursive: true }).catch(() => undefined)));
  return stale;
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
