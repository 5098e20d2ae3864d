import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, runPython, sameBits, torchFolder, torchPython } from '../../test/helpers/torch';
import type { Recipe } from '../shared/recipe';
import type { LayerReport } from '../shared/report';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

let folder: string;
before(() => {
  folder = torchFolder();
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The name of the layer's node in the graph of torch: the path of a module, the last part of a function's. */
const nodeOf = ({ name, op }: LayerReport): string =>
  /^[a-z]/.test(op) ? name.replace(/^.*\./, '') : name.replaceAll('.', '_');

const closeTo = (found: number | null | undefined, expected: number | null | undefined, what: string): void => {
  assert.ok(found !== undefined && expected !== undefined, `${what} is missing`);
  if (found === null || expected === null) assert.equal(found, expected, what);
  else assert.ok(Math.abs(found - expected) < 1e-3, `${what}: ${found} dB, independently ${expected} dB`);
};

interface Independent {
  readonly local: Readonly<Record<string, number | null>>;
  readonly accumulated: Readonly<Record<string, number | null>>;
  readonly int8: readonly string[];
}

function byHand(python: string, model: string, weights: string, data: string, out: string): Independent {
  const args = [path.join(folder, model), weights, 'fbgemm', data, data, path.join(folder, out)];
  return JSON.parse(runPython(python, folder, 'independent.py', ...args)) as Independent;
}

const NETS = {
  'the sample': { model: 'torch/shapesnet.py:build', weights: 'torch/shapesnet.pth', side: 48, ratio: 0.4 },
  resnet18: { model: 'vision.py:resnet18', weights: undefined, side: 64, ratio: 0.27 },
  mobilenet_v2: { model: 'vision.py:mobilenet_v2', weights: undefined, side: 64, ratio: 0.4 },
} as const;

for (const release of ['newest', 'oldest'] as const) {
  const { python, reason } = torchPython(release);
  describe(`FX graph mode against the recipe by hand, ${release} torch`, { skip: reason }, () => {
    for (const [name, { model, weights, side, ratio }] of Object.entries(NETS)) {
      test(`${name}: the same bits, the same int8 layers, the same errors`, async () => {
        const data = `${side}.npy`;
        writeFileSync(path.join(folder, data), npyBytes([6, 3, side, side], floatArray(6 * 3 * side * side, 7)));
        const recipe: Recipe = {
          framework: 'torch',
          model,
          torch: { python, inputs: [['batch', 3, side, side]], ...(weights === undefined ? {} : { weights }) },
          backend: 'fbgemm',
          calibration: { data },
        };
        const outDir = path.join(folder, release, `${name}.quant`);
        const report = await quantizeTorch({ recipe, baseDir: folder, outDir }, { trusted: true, threads: 1 });
        const out = `${release}/${name}.by-hand.pt`;
        const expected = byHand(python, model, weights ?? '-', data, out);
        assert.ok(report.quantized !== null);
        assert.ok(
          sameBits(python, report.quantized.path, path.join(folder, out), [2, 3, side, side]),
          'not the same bits',
        );
        const int8 = report.layers.filter(({ status }) => status === 'quantized').map(nodeOf);
        assert.deepEqual(int8.toSorted(), expected.int8.toSorted());
        for (const layer of report.layers) {
          const node = nodeOf(layer);
          if (layer.local !== null)
            closeTo(comparedOf(layer.local)!.sqnr, expected.local[node], `local error of ${layer.name}`);
          if (node in expected.accumulated) {
            closeTo(
              comparedOf(layer.accumulated)?.sqnr,
              expected.accumulated[node],
              `accumulated error of ${layer.name}`,
            );
          }
        }
        assert.ok(
          report.quantized.bytes / report.model.bytes < ratio,
          `${report.quantized.bytes / report.model.bytes}`,
        );
      });
    }
  });
}
