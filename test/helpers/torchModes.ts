/** The networks of `test/fixtures/torch/modes.py`, quantized in each mode in a folder of the test file. */

import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before } from 'node:test';
import type { Recipe } from '../../src/shared/recipe';
import type { Report } from '../../src/shared/report';
import { quantizeTorch } from '../../src/torch/quantize';
import { floatArray, npyBytes, runPython, sameBits, torchFolder, torchPython } from './torch';

export const { python, reason } = torchPython();

export let folder: string;
before(() => {
  folder = torchFolder();
  writeFileSync(path.join(folder, 'words.npy'), npyBytes([8, 7, 12], floatArray(8 * 7 * 12, 3)));
  writeFileSync(path.join(folder, 'images.npy'), npyBytes([20, 3, 16, 16], floatArray(20 * 3 * 16 * 16, 5)));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

export const quantize = (
  model: string,
  mode: Recipe['mode'],
  data: string,
  more: Partial<Recipe> = {},
  log?: (line: string) => void,
): Promise<Report> => {
  const torch = { python, ...(data === 'words.npy' ? {} : { inputs: [['batch', 3, 16, 16]] }), ...more.torch };
  const recipe: Recipe = { framework: 'torch', model: `modes.py:${model}`, backend: 'fbgemm', ...more, torch };
  return quantizeTorch(
    { recipe: { calibration: { data }, ...recipe, mode }, baseDir: folder, outDir: path.join(folder, model) },
    { trusted: true, threads: 1, ...(log === undefined ? {} : { log }) },
  );
};

export const statusOf = (report: Report): Readonly<Record<string, string>> =>
  Object.fromEntries(report.layers.map(({ name, status }) => [name, status]));

/** Whether the saved model computes on the data what Python statements leave in `q`. */
export function equalsByHand(report: Report, data: string, statements: string): boolean {
  const code = `
import copy, numpy as np, torch, modes
from torch import nn
torch.backends.quantized.engine = "fbgemm"
torch.set_num_threads(1)
rows = [torch.from_numpy(row[None]) for row in np.load(${JSON.stringify(data)})]
${statements}
with torch.no_grad():
    saved = torch.jit.load(${JSON.stringify(report.quantized!.path)})
    print(all(torch.equal(saved(x), q(x)) for x in rows))`;
  return runPython(python, folder, '-c', code) === 'True';
}

/** Whether the script beside the result makes the same bits without Quantscope. */
export function reproduces({ quantized }: Report, shape: readonly number[]): boolean {
  const made = quantized!.path;
  const again = `${made}.again.pt`;
  runPython(python, folder, path.join(path.dirname(made), 'reproduce.py'), again);
  return sameBits(python, made, again, shape);
}

export const NO_TORCHAO = process.env['QUANTSCOPE_TORCH'] === 'oldest' ? 'torchao needs a newer torch' : reason;

/** Whether two exported programs compute the same bits. */
export function samePrograms(first: string, second: string, shape: readonly number[]): boolean {
  const code = `
import torch, torchao.quantization.pt2e.quantize_pt2e
torch.manual_seed(1)
x = torch.randn(${shape.join(', ')})
a, b = (torch.export.load(name).module()(x.clone()) for name in (${JSON.stringify(first)}, ${JSON.stringify(second)}))
print(torch.equal(a, b))`;
  return runPython(python, folder, '-c', code) === 'True';
}

export const WORDS = [1, 7, 12];
export const IMAGES = [2, 3, 16, 16];
