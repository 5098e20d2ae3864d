import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { floatArray, npyBytes, runPython } from '../../test/helpers/torch';
import { NO_TORCHAO, folder, python } from '../../test/helpers/torchModes';
import type { Recipe } from '../shared/recipe';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

interface Independent {
  readonly same: boolean;
  readonly local: Readonly<Record<string, number | null>>;
  readonly accumulated: Readonly<Record<string, number | null>>;
}

const NETS = {
  'the sample': { model: 'torch/shapesnet.py:build', weights: 'torch/shapesnet.pth', side: 48, int8: 11, ratio: 2 },
  resnet18: { model: 'vision.py:resnet18', weights: undefined, side: 64, int8: 21, ratio: 0.27 },
} as const;

describe('mode pt2e against the recipe of torchao by hand', { skip: NO_TORCHAO }, () => {
  for (const [name, { model, weights, side, int8, ratio }] of Object.entries(NETS)) {
    test(`${name}: the same bits as by hand, the same errors, int8 kernels`, async () => {
      const data = `${side}.npy`;
      writeFileSync(path.join(folder, data), npyBytes([6, 3, side, side], floatArray(6 * 3 * side * side, 7)));
      const recipe: Recipe = {
        framework: 'torch',
        model,
        mode: 'pt2e',
        torch: { python, inputs: [['batch', 3, side, side]], ...(weights === undefined ? {} : { weights }) },
        backend: 'fbgemm',
        calibration: { data },
      };
      const outDir = path.join(folder, 'pt2e', name);
      const report = await quantizeTorch({ recipe, baseDir: folder, outDir }, { trusted: true, threads: 1 });
      const args = [path.join(folder, model), weights ?? '-', data, data, report.quantized!.path];
      const expected = JSON.parse(runPython(python, folder, 'independent_pt2e.py', ...args)) as Independent;
      assert.ok(expected.same, 'not the same bits');
      const layers = report.layers.filter(({ op }) => op === 'Conv2d' || op === 'Linear');
      assert.deepEqual(layers.map((layer) => layer.name).toSorted(), Object.keys(expected.local).toSorted());
      for (const layer of layers) {
        for (const kind of ['local', 'accumulated'] as const) {
          const [found, wanted] = [comparedOf(layer[kind])?.sqnr, expected[kind][layer.name]];
          assert.ok(
            Math.abs(found! - wanted!) < 1e-3,
            `${kind} ${layer.name}: ${found} dB, independently ${wanted} dB`,
          );
        }
        const weight = layer.tensors.find(({ role }) => role === 'weight');
        assert.equal(weight?.quantization?.scale.length, weight?.shape[0], layer.name);
        assert.ok(layer.tensors.some(({ role, quantization }) => role === 'input' && quantization?.type === 'uint8'));
        assert.match(layer.kernel ?? '', /^onednn\.q(?:conv|linear)/u);
      }
      assert.equal(report.counts.quantized, int8);
      assert.equal(report.format, 'pt2');
      assert.ok(report.latency !== null, 'the lowered model was not timed');
      assert.match(report.warnings.join(), /in float between quantize and dequantize .* agree with it to/u);
      assert.ok(report.quantized!.bytes / report.model.bytes < ratio, `${report.quantized!.bytes} bytes`);
    });
  }
});
