/** Statistics on disk, so that the same model, data and preprocessing are not run through twice. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../files';
import { ByteReader, ByteWriter } from './bytes';
import { TensorStats } from './histogram';

/** The last digit is the version of the format: raised when anything in it changes its meaning. */
const MAGIC = 'QSSTATS3';
const HASH_BYTES = 32;
const HEADER_BYTES = MAGIC.length + 2 * HASH_BYTES;

const sha256 = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest();

/**
 * Writes all statistics under a key: whatever text identifies model, data and preprocessing. The
 * file appears whole or not at all. Throws `disk-full`, `file-unwritable` or `file-not-found` (no
 * such folder).
 */
export async function writeStats(path: string, key: string, stats: ReadonlyMap<string, TensorStats>): Promise<void> {
  const writer = new ByteWriter();
  writer.varint(stats.size);
  for (const [name, entry] of stats) {
    writer.block(new TextEncoder().encode(name));
    writer.block(entry.toBytes());
  }
  const body = writer.take();
  await writeFileAtomic(path, Buffer.concat([Buffer.from(MAGIC, 'latin1'), sha256(key), sha256(body), body]));
}

/** The statistics of that key; undefined where the file is missing, damaged, of another version or another key. Never throws. */
export async function readStats(path: string, key: string): Promise<Map<string, TensorStats> | undefined> {
  try {
    const file = await readFile(path);
    const body = file.subarray(HEADER_BYTES);
    const header = Buffer.concat([Buffer.from(MAGIC, 'latin1'), sha256(key), sha256(body)]);
    if (!file.subarray(0, HEADER_BYTES).equals(header)) return undefined;
    const reader = new ByteReader(body);
    const entries = Array.from({ length: reader.varint() }, () => {
      const name = new TextDecoder().decode(reader.block());
      return [name, TensorStats.fromBytes(reader.block())] as const;
    });
    return new Map(entries);
  } catch {
    // Whatever is wrong with a cache, measuring again is the answer.
    return undefined;
  }
}
