/** Folders for results. */

import { mkdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';

/**
 * Makes a folder and those above it. Not by `mkdir` with `recursive`: that reports ENOENT where a folder above is
 * read-only, and never comes back in `/proc`.
 * @param folder absolute
 * @throws `usage` where a file stands in its place or above it, `disk-full`, `file-unwritable`
 */
export async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return;
  if (found !== null) throw occupied(folder);
  const parent = path.dirname(folder);
  if (parent !== folder) await makeFolder(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    const { code: errno } = error as NodeJS.ErrnoException;
    if (errno === 'EEXIST') {
      // Made by somebody else meanwhile; or a link to nothing.
      if ((await stat(folder).catch(() => null))?.isDirectory() === true) return;
      throw occupied(folder);
    }
    const { code, message } = toQuantscopeError(error, 'file-unwritable');
    // The folder above is there, so what is not found is the permission.
    throw new QuantscopeError(code === 'file-not-found' ? 'file-unwritable' : code, message, { cause: error });
  }
}

function occupied(folder: string): QuantscopeError {
  return new QuantscopeError('usage', `${folder} is no folder, and the results need one.`, {
    hint: 'Name another folder for the results, or move what is there.',
  });
}
