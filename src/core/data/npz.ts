/** NumPy's .npz format: a ZIP of .npy files. */

import { unzipSync } from 'fflate';
import type { Tensor } from '../tensor';
import { readNpy } from './npy';

/** What one archive may unpack to. */
const MAX_UNPACKED_BYTES = 2 ** 31;

/** Deflate cannot shrink by more than 1032:1 (RFC 1951: 258 bytes in 2 bits), so a higher claim is a lie. */
const MAX_RATIO = 1032;

const MAX_ENTRIES = 100_000;

/**
 * The arrays of an archive by name.
 * @throws Error where the archive is damaged, claims to unpack to more than 2 GiB, or holds an array that
 * cannot be read
 */
export function readNpz(bytes: Uint8Array): Map<string, Tensor> {
  let unpacked = 0;
  let entries = 0;
  const files = unzipSync(bytes, {
    filter: ({ name, size, originalSize }) => {
      // A damaged directory may claim billions of entries, each of which fflate would visit.
      if (++entries > MAX_ENTRIES) throw new Error(`The archive has more than ${MAX_ENTRIES} entries.`);
      if (!name.endsWith('.npy')) return false;
      unpacked += originalSize;
      if (unpacked > MAX_UNPACKED_BYTES || originalSize > (size + 64) * MAX_RATIO) {
        throw new Error(`The archive claims to unpack to ${unpacked} bytes, which is not believable or too much.`);
      }
      return true;
    },
  });
  const arrays = new Map<string, Tensor>();
  for (const [file, content] of Object.entries(files)) {
    const name = file.slice(0, -'.npy'.length);
    try {
      arrays.set(name, readNpy(content));
    } catch (error) {
      throw new Error(`Array "${name}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  if (arrays.size === 0) throw new Error('The archive holds no arrays.');
  return arrays;
}
