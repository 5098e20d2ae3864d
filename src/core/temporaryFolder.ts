/** A folder for files that others write and we read, such as onnxruntime's. */

import { mkdtemp, rm, statfs } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';

/** Writers fill a disk to its last block or give up a buffer before it. */
const FULL_BYTES = 64 * 1024;

/**
 * Removed with all that is in it when `use` is done.
 * @throws `disk-full` where `use` fails and there is no room left: whoever wrote there may not say why it could not
 */
export async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const parent = os.tmpdir();
  const folder = await mkdtemp(path.join(parent, 'quantscope-')).catch((error: unknown) => {
    const { code } = toQuantscopeError(error);
    throw code === 'disk-full' ? noRoom(parent, error) : error;
  });
  try {
    return await use(folder);
  } catch (error) {
    await checkRoom(folder, error);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * To be asked when what was written into a folder is not what it should be.
 * @throws `disk-full`
 */
export async function checkRoom(folder: string, cause: unknown): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < FULL_BYTES) throw noRoom(os.tmpdir(), cause);
}

function noRoom(folder: string, cause: unknown): QuantscopeError {
  return new QuantscopeError('disk-full', `There is no room for temporary files in ${folder}.`, {
    hint: 'Free some space there, or name another folder by the environment variable TMPDIR (TEMP on Windows).',
    cause,
  });
}
