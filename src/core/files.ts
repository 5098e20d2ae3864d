/** Writing files so that a reader only ever sees the old content or the whole new one. */

import { access, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import { temporaryName } from './staleFiles';

/** Files on their way: each stands under a temporary name beside the one that it will replace. */
export class FileSet {
  readonly #names = new Map<string, string>();

  /**
   * A name to write to for whoever cannot be handed a file, in the folder of `file`: a rename is atomic only within one
   * file system. What stands there at the end replaces `file`; where nothing does, `file` stays.
   */
  reserve(file: string): string {
    const temporary = this.#names.get(file) ?? temporaryName(file);
    this.#names.set(file, temporary);
    return temporary;
  }

  /** Flushed to the disk. */
  async fill<T>(file: string, write: (handle: FileHandle) => Promise<T>): Promise<T> {
    // `wx`: never write through a file or link that happens to have the name.
    const handle = await open(this.reserve(file), 'wx');
    try {
      const result = await write(handle);
      await handle.sync();
      return result;
    } finally {
      await handle.close();
    }
  }

  async write(file: string, content: Uint8Array | string): Promise<void> {
    await this.fill(file, (handle) => handle.writeFile(content));
  }

  /** In the order in which they came. */
  async rename(): Promise<void> {
    for (const [file, temporary] of this.#names) if (await exists(temporary)) await rename(temporary, file);
  }

  async discard(): Promise<void> {
    for (const temporary of this.#names.values()) await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** `ENOSPC` and its like, which Node's own errors, `ERR_…`, are none of. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^E[A-Z0-9]+$/.test(String(error.code));
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/**
 * Replaces files together: only when `work` has written all of them they get their names. On any failure what was
 * written is removed, and every file is as it was.
 * @throws `disk-full`, `file-not-found` for a missing folder, `file-unwritable`, and what `work` throws
 */
export async function replaceFiles<T>(work: (files: FileSet) => Promise<T>): Promise<T> {
  const files = new FileSet();
  try {
    const result = await work(files);
    await files.rename();
    return result;
  } catch (error) {
    await files.discard();
    throw isSystemError(error) ? toQuantscopeError(error, 'file-unwritable') : error;
  }
}

/** {@link replaceFiles} with one file that `fill` writes. */
export async function replaceFile<T>(file: string, fill: (handle: FileHandle) => Promise<T>): Promise<T> {
  return replaceFiles((files) => files.fill(file, fill));
}

/** {@link replaceFiles} with one whose content is already in memory. */
export async function writeFileAtomic(file: string, content: Uint8Array | string): Promise<void> {
  await replaceFiles((files) => files.write(file, content));
}

/**
 * For what a person may have edited since.
 * @param named what to call it
 * @throws `usage` where it exists
 */
export async function refuseExisting(file: string, named: string, hint: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) throw new QuantscopeError('usage', `${named} exists.`, { hint });
}
