/** The environment with torch that tests run in, what they run there, and tensors to feed it. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { ensureTorch, type TorchReleaseName } from '../../scripts/torch';
import type { Recipe } from '../../src/shared/recipe';

export const ROOT = path.resolve(__dirname, '../..');

export interface TorchPython {
  readonly python: string;
  readonly reason: string | false;
}

/** `QUANTSCOPE_TORCH=oldest` runs the tests with the oldest torch that is supported instead of the newest. */
export const CHOSEN: TorchReleaseName = process.env['QUANTSCOPE_TORCH'] === 'oldest' ? 'oldest' : 'newest';

export function torchPython(release: TorchReleaseName = CHOSEN): TorchPython {
  if (process.platform === 'win32') return { python: 'python', reason: 'the environment is made on Unix only' };
  const found = ensureTorch(release);
  return 'python' in found ? { python: found.python, reason: false } : { python: 'python3', reason: found.missing };
}

/** A new folder with the PyTorch sample, its images and the networks of the tests. */
export function torchFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-torch-'));
  for (const part of ['samples/torch', 'samples/images', 'test/fixtures/torch']) {
    const target = part.startsWith('samples') ? path.join(folder, path.basename(part)) : folder;
    cpSync(path.join(ROOT, part), target, { recursive: true });
  }
  return folder;
}

/** The sample in such a folder, as its own recipe quantizes it. */
export const sampleRecipe = (python: string): Recipe => ({
  framework: 'torch',
  model: 'torch/shapesnet.py:build',
  torch: { weights: 'torch/shapesnet.pth', python },
  backend: 'fbgemm',
  calibration: { data: 'images/calibration', samples: 200 },
  preprocess: 'tf',
  validate: { data: 'images/validation', labels: 'images/labels.tsv' },
});

/** What a Python program prints; `program` are its arguments, the name of a file first or `-c`. */
export function runPython(python: string, cwd: string, ...program: readonly string[]): string {
  const env = { OMP_WAIT_POLICY: 'PASSIVE', ...process.env };
  const options = { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] as ('ignore' | 'pipe')[] };
  return execFileSync(python, ['-W', 'ignore', ...program], options)
    .toString()
    .trim();
}

/** Whether two TorchScript files compute the same bits. */
export function sameBits(python: string, first: string, second: string, shape: readonly number[]): boolean {
  const code = `
import torch
torch.backends.quantized.engine = "fbgemm"
torch.manual_seed(1)
x = torch.randn(${shape.join(', ')})
a, b = (torch.jit.load(name)(x) for name in (${JSON.stringify(first)}, ${JSON.stringify(second)}))
print(torch.equal(a, b))`;
  return runPython(python, path.dirname(first), '-c', code) === 'True';
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
