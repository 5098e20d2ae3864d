/** The environment with torch that tests run in, and tensors to feed it. */

import { ensureTorch } from '../../scripts/torch';

/** `QUANTSCOPE_TORCH=oldest` runs the tests with the oldest torch that is supported instead of the newest. */
export function torchPython(): { readonly python: string; readonly reason: string | false } {
  if (process.platform === 'win32') return { python: 'python', reason: 'the environment is made on Unix only' };
  const found = ensureTorch(process.env['QUANTSCOPE_TORCH'] === 'oldest' ? 'oldest' : 'newest');
  return 'python' in found ? { python: found.python, reason: false } : { python: 'python3', reason: found.missing };
}

/** Numbers in [−2, 2) from a seed: the generator of Park and Miller. */
export function floatArray(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return (4 * state) / 2147483647 - 2;
  });
}

/** A .npy file of float32 in version 1.0 of the format. */
export function npyBytes(shape: readonly number[], data: Float32Array): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, new Uint8Array(data.buffer)]);
}
