/** Writing files so that a reader only ever sees the old content or the whole new one. */

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { toQuantscopeError } from '../shared/errors';
import { temporaryName } from './staleFiles';

/**
 * Replaces `file` by what `fill` writes: into a temporary file of the same folder (a rename is
 * atomic only within one file system), flushed to the disk, then renamed. On any failure the
 * temporary file is removed and `file` is as it was.
 * @throws `disk-full`, `file-not-found` for a missing folder, `file-unwritable`
 */
export async function replaceFile<T>(file: string, fill: (handle: FileHandle) => Promise<T>): Promise<T> {
  const temporary = temporaryName(file);
  try {
    // `wx`: never write through a file or link that happens to have the name.
    const handle = await open(temporary, 'wx');
    let result: T;
    try {
      result = await fill(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    return result;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toQuantscopeError(error, 'file-unwritable');
  }
}

/** {@link replaceFile} with content that is already in memory. */
export async function writeFileAtomic(file: string, content: Uint8Array | string): Promise<void> {
  await replaceFile(file, async (handle) => {
    await handle.writeFile(content);
  });
}
