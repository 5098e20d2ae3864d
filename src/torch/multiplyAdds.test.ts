import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, runPython, torchFolder, torchPython } from '../../test/helpers/torch';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { quantizeTorch } from './quantize';

let folder: string;
before(() => {
  folder = torchFolder();
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

for (const release of ['newest', 'oldest'] as const) {
  const { python, reason } = torchPython(release);
  const quantized = (model: string, side: number): Promise<Report> => {
    const data = `${side}.npy`;
    writeFileSync(path.join(folder, data), npyBytes([2, 3, side, side], floatArray(6 * side * side, 7)));
    const recipe: Recipe = {
      ...({ framework: 'torch', model, backend: 'fbgemm' } as const),
      torch: { python, inputs: [['batch', 3, side, side]] },
      calibration: { data },
    };
    const outDir = path.join(folder, release, model.replaceAll(/\W/g, '-'));
    return quantizeTorch({ recipe, baseDir: folder, outDir }, { trusted: true, threads: 1 });
  };

  describe(`multiply-adds of PyTorch layers, ${release} torch`, { skip: reason }, () => {
    test('of every form of product, by hand', async () => {
      const { layers } = await quantized('modes.py:products', 8);
      const found = Object.fromEntries(layers.flatMap(({ name, macs }) => (macs === 0 ? [] : [[name, macs]])));
      assert.deepEqual(found, {
        // 4 × 8 × 8 outputs, each of 3 × 3 × 3 products; the grouped one of 2.
        conv: 256 * 27,
        grouped: 256 * 2,
        // 4 × 8 × 8 inputs, each meeting 2 × 2 × 2 weights.
        up: 256 * 8,
        matmul: 2 * 2 * 256,
        linear: 5 * 4,
        fc: 3 * 5,
      });
    });

    test(
      'resnet18 has as many as torch counts',
      { skip: release === 'oldest' && 'torch 1.13 does not count' },
      async () => {
        const { layers } = await quantized('vision.py:resnet18', 64);
        const code = `
import torch, vision
from torch.utils.flop_counter import FlopCounterMode
net = vision.resnet18()
with FlopCounterMode(display=False) as counter:
    net(torch.zeros(1, 3, 64, 64))
print(counter.get_total_flops() // 2)`;
        const total = Number(runPython(python, folder, '-c', code));
        assert.ok(total > 1e8);
        assert.equal(
          layers.reduce((sum, { macs }) => sum + macs, 0),
          total,
        );
      },
    );
  });
}
