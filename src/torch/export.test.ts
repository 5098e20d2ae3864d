import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, runPython, torchFolder, torchPython } from '../../test/helpers/torch';
import { openSession } from '../core/runtime/session';
import { makeTensor } from '../core/tensor';
import type { Report } from '../shared/report';
import { quantizeTorch } from './quantize';

for (const release of ['oldest', 'newest'] as const) {
  const { python, reason } = torchPython(release);
  describe(`ONNX from the ${release} torch`, { skip: reason }, () => {
    let folder: string;
    const data = floatArray(12 * 3 * 16 * 16, 5);
    before(() => {
      folder = torchFolder();
      writeFileSync(path.join(folder, 'images.npy'), npyBytes([12, 3, 16, 16], data));
    });
    after(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    const quantize = (factory: string): Promise<Report> => {
      const torch = { python, inputs: [['batch', 3, 16, 16]], onnx: true };
      const recipe = { framework: 'torch', model: `modes.py:${factory}`, torch, backend: 'fbgemm' } as const;
      const job = { recipe: { ...recipe, calibration: { data: 'images.npy' } }, baseDir: folder };
      return quantizeTorch({ ...job, outDir: path.join(folder, 'out') }, { trusted: true, threads: 1 });
    };

    test('what hinders it is said, and nothing is left of an earlier one', async () => {
      mkdirSync(path.join(folder, 'out'), { recursive: true });
      writeFileSync(path.join(folder, 'out/modes.int8.onnx'), 'of an earlier run');
      // ONNX has no form for its quantized PReLU.
      const { warnings } = await quantize('activated');
      assert.match(warnings.join(), /could not be written as ONNX: .+/u);
      assert.ok(!existsSync(path.join(folder, 'out/modes.int8.onnx')));
    });

    test('onnxruntime computes what torch does', async () => {
      const { warnings } = await quantize('outofplace');
      assert.deepEqual(warnings, []);
      const code = `
import json, numpy as np, torch
torch.backends.quantized.engine = "fbgemm"
print(json.dumps(torch.jit.load("out/modes.int8.pt")(torch.from_numpy(np.load("images.npy"))).flatten().tolist()))`;
      const expected = JSON.parse(runPython(python, folder, '-c', code)) as number[];
      const session = await openSession(path.join(folder, 'out/modes.int8.onnx'), { threads: 1 });
      try {
        const [input] = session.inputs;
        const feeds = { [input!.name]: makeTensor('float32', [12, 3, 16, 16], data) };
        const { output } = await session.run(feeds);
        const found = Array.from(output!.data as Float32Array);
        assert.equal(found.length, expected.length);
        const signal = expected.reduce((sum, value) => sum + value ** 2, 0);
        const noise = expected.reduce((sum, value, i) => sum + (value - found[i]!) ** 2, 0);
        const sqnr = 10 * Math.log10(signal / noise);
        assert.ok(sqnr > 30, `${sqnr} dB`);
      } finally {
        await session.close();
      }
    });
  });
}
