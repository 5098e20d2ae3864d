import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import type { LayerReport, Report } from '../shared/report';
import { floatArray, npyBytes, torchPython } from '../../test/helpers/torch';
import { quantizeTorch } from './quantize';

const ROOT = path.resolve(__dirname, '../..');
const FIXTURES = path.join(ROOT, 'test/fixtures/torch');
const { python, reason } = torchPython();
const TRUSTED = { trusted: true, threads: 1 } as const;

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-torch-'));
  cpSync(path.join(ROOT, 'samples/torch'), path.join(folder, 'torch'), { recursive: true });
  cpSync(path.join(ROOT, 'samples/images'), path.join(folder, 'images'), { recursive: true });
  for (const file of readdirSync(FIXTURES))
    cpSync(path.join(FIXTURES, file), path.join(folder, file), { recursive: true });
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SAMPLE: Recipe = {
  framework: 'torch',
  model: 'torch/shapesnet.py:build',
  torch: { weights: 'torch/shapesnet.pth', python },
  backend: 'fbgemm',
  calibration: { data: 'images/calibration', samples: 100 },
  preprocess: 'tf',
  validate: { data: 'images/validation', labels: 'images/labels.tsv' },
};

const quantize = (recipe: Recipe, outDir: string): Promise<Report> =>
  quantizeTorch({ recipe, baseDir: folder, outDir: path.join(folder, outDir) }, TRUSTED);

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

function byHand(model: string, weights: string, data: string, out: string): Independent {
  const args = [path.join(folder, model), weights, 'fbgemm', data, data, path.join(folder, out)];
  const printed = execFileSync(python, ['independent.py', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(printed.toString()) as Independent;
}

/** Whether two TorchScript files compute the same bits. */
function sameBits(first: string, second: string, shape: readonly number[]): boolean {
  const code = `
import torch
torch.backends.quantized.engine = "fbgemm"
torch.manual_seed(1)
x = torch.randn(${shape.join(', ')})
a, b = (torch.jit.load(name)(x) for name in (${JSON.stringify(first)}, ${JSON.stringify(second)}))
print(torch.equal(a, b))`;
  return (
    execFileSync(python, ['-W', 'ignore', '-c', code], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim() === 'True'
  );
}

describe('FX graph mode against the recipe by hand', { skip: reason }, () => {
  const cases = [
    { name: 'the sample', model: 'torch/shapesnet.py:build', weights: 'torch/shapesnet.pth', side: 48, ratio: 0.4 },
    { name: 'resnet18', model: 'vision.py:resnet18', weights: undefined, side: 64, ratio: 0.27 },
    { name: 'mobilenet_v2', model: 'vision.py:mobilenet_v2', weights: undefined, side: 64, ratio: 0.4 },
  ];
  for (const { name, model, weights, side, ratio } of cases) {
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
      const report = await quantize(recipe, `${name}.quant`);
      const out = `${name}.by-hand.pt`;
      const expected = byHand(model, weights ?? '-', data, out);
      assert.ok(report.quantized !== null);
      assert.ok(sameBits(report.quantized.path, path.join(folder, out), [2, 3, side, side]), 'not the same bits');
      const int8 = report.layers.filter(({ status }) => status === 'quantized').map(nodeOf);
      assert.deepEqual(int8.toSorted(), expected.int8.toSorted());
      for (const layer of report.layers) {
        const node = nodeOf(layer);
        if (layer.local !== null) closeTo(layer.local.sqnr, expected.local[node], `local error of ${layer.name}`);
        if (node in expected.accumulated) {
          closeTo(layer.accumulated?.sqnr, expected.accumulated[node], `accumulated error of ${layer.name}`);
        }
      }
      assert.ok(report.quantized.bytes / report.model.bytes < ratio, `${report.quantized.bytes / report.model.bytes}`);
    });
  }
});

describe('the sample', { skip: reason }, () => {
  test('loses its accuracy to the quantized PReLU, says so, and has it back with the layer in float', async () => {
    const broken = await quantize(SAMPLE, 'broken');
    assert.ok(broken.accuracy?.top1 && broken.accuracy.top1.fp32 >= 97);
    assert.ok(broken.accuracy.top1.int8 < 50);
    assert.match(broken.warnings.join('\n'), /stage1\.middle.*op:PReLU, quantize: false/u);
    const layers = [{ select: 'op:PReLU', quantize: false }];
    const fixed = await quantize({ ...SAMPLE, layers }, 'fixed');
    assert.ok(fixed.accuracy?.top1 && fixed.accuracy.top1.int8 >= fixed.accuracy.top1.fp32 - 1);
    const prelu = fixed.layers.find(({ op }) => op === 'PReLU');
    assert.equal(prelu?.status, 'float');
    assert.equal(prelu.reason, 'excluded');
    assert.match(path.basename(prelu.source?.built?.file ?? ''), /^shapesnet\.py$/);
    const line = readFileSync(path.join(folder, 'torch/shapesnet.py'), 'utf8').split('\n')[
      (prelu.source?.built?.line ?? 0) - 1
    ];
    assert.match(line ?? '', /nn\.PReLU/u);
  });

  test('qnnpack: broken clamps are named too, and the proposals bring the accuracy back', async () => {
    const recipe: Recipe = { ...SAMPLE, backend: 'qnnpack' };
    const broken = await quantize(recipe, 'qnnpack-broken');
    assert.ok(broken.accuracy?.top1 && broken.accuracy.top1.int8 < 20);
    const proposed = [...broken.warnings.join('\n').matchAll(/select: (op:\w+), quantize: false/gu)].map(
      ([, select]) => select!,
    );
    assert.deepEqual(proposed.toSorted(), ['op:PReLU', 'op:ReLU6']);
    const layers = proposed.map((select) => ({ select, quantize: false }));
    const fixed = await quantize({ ...recipe, layers }, 'qnnpack-fixed');
    assert.ok(fixed.accuracy?.top1 && fixed.accuracy.top1.int8 >= fixed.accuracy.top1.fp32 - 1);
  });

  test('an excluded layer of every kind really stays float', async () => {
    const excluded = ['stage3.middle', 'stage2.add_1', 'pool', 'stage1.conv2.0', 'classifier', 'stem_act'];
    const layers = excluded.map((select) => ({ select, quantize: false }));
    const report = await quantize({ ...SAMPLE, layers }, 'excluded');
    for (const name of excluded) {
      const layer = report.layers.find((found) => found.name === name);
      assert.equal(layer?.status, 'float', `${name} ran as ${layer?.kernel ?? 'nothing'}`);
    }
    assert.ok(report.counts.quantized >= 10);
  });

  test('the script beside the result makes the same bits without Quantscope', async () => {
    const layers = [
      { select: 'regex:middle$', quantize: false },
      { select: 'stage3.add_2', quantize: false },
      { select: 'scope:stage2', observer: 'min-max' as const },
    ];
    const report = await quantize({ ...SAMPLE, layers }, 'scripted');
    const out = path.join(folder, 'scripted.pt');
    execFileSync(python, ['-W', 'ignore', path.join(folder, 'scripted/reproduce.py'), out], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    assert.ok(sameBits(report.quantized!.path, out, [2, 3, 48, 48]));
  });
});

describe('what goes wrong', { skip: reason }, () => {
  const failing = async (recipe: Recipe): Promise<QuantscopeError> => {
    try {
      await quantize(recipe, 'failing');
    } catch (error) {
      assert.ok(error instanceof QuantscopeError, String(error));
      return error;
    }
    return assert.fail('it did not fail');
  };

  test('without trust no Python is started', async () => {
    writeFileSync(path.join(folder, 'python'), '#!/bin/sh\ntouch started\n', { mode: 0o755 });
    const recipe = { ...SAMPLE, torch: { python: './python' } };
    await assert.rejects(quantizeTorch({ recipe, baseDir: folder }), { code: 'torch-untrusted' });
    assert.ok(!existsSync(path.join(folder, 'started')));
  });

  test('an interpreter that is not there, or has no torch', async () => {
    const none = await failing({ ...SAMPLE, torch: { python: './nothing' } });
    assert.equal(none.code, 'torch-missing');
    const bare = await failing({ ...SAMPLE, torch: { python: '/usr/bin/python3' } });
    assert.equal(bare.code, 'torch-missing');
    assert.match(bare.hint, /-m pip install torch/u);
  });

  test("an exception names the key of the recipe and the user's line", async () => {
    writeFileSync(path.join(folder, 'bad.py'), 'import torch\n\ndef build():\n    raise ValueError("no such luck")\n');
    const error = await failing({ ...SAMPLE, model: 'bad.py:build', torch: { python } });
    assert.equal(error.code, 'torch-failed');
    assert.match(error.message, /`model`: .*ValueError: no such luck/u);
    assert.match(error.message, /bad\.py:4 in build/u);
  });

  test('a factory that is not there', async () => {
    const error = await failing({ ...SAMPLE, model: 'torch/shapesnet.py:biuld', torch: { python } });
    assert.equal(error.code, 'recipe-invalid');
    assert.match(error.message, /it has .*build/u);
  });

  test('a process that dies is reported, and nothing is left', async () => {
    writeFileSync(path.join(folder, 'dies.py'), 'import os\n\ndef build():\n    os.abort()\n');
    const error = await failing({ ...SAMPLE, model: 'dies.py:build', torch: { python } });
    assert.equal(error.code, 'torch-crashed');
    assert.deepEqual(readdirSync(path.join(folder, 'failing')), ['runs']);
  });

  test('a cancel kills the process at once', async () => {
    writeFileSync(path.join(folder, 'hangs.py'), 'import time\n\ndef build():\n    time.sleep(600)\n');
    const cancel = new AbortController();
    const recipe = { ...SAMPLE, model: 'hangs.py:build', torch: { python } };
    const run = quantizeTorch(
      { recipe, baseDir: folder, outDir: path.join(folder, 'failing') },
      { ...TRUSTED, signal: cancel.signal },
    );
    setTimeout(() => {
      cancel.abort();
    }, 5_000);
    await assert.rejects(run, { code: 'cancelled' });
  });

  test('a selector that means no layer', async () => {
    const error = await failing({ ...SAMPLE, layers: [{ select: 'stage1.midle', quantize: false }] });
    assert.equal(error.code, 'selector-unmatched');
    assert.match(error.message, /"stage1\.middle"/u);
  });
});
