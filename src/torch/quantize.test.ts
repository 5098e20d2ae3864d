import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { runPython, sameBits, sampleRecipe, torchFolder, torchPython } from '../../test/helpers/torch';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

const { python, reason } = torchPython();
const TRUSTED = { trusted: true, threads: 1 } as const;
const SAMPLE = sampleRecipe(python);

let folder: string;
before(() => {
  folder = torchFolder();
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const quantize = (recipe: Recipe, outDir: string): Promise<Report> =>
  quantizeTorch({ recipe, baseDir: folder, outDir: path.join(folder, outDir) }, TRUSTED);

const outputSqnr = ({ outputs }: Report): number => comparedOf(outputs[0]?.error)!.sqnr ?? 0;

/** One of 300 images is a third of a point: two may go wrong, the third would be the last. */
function assertWithinAPoint({ accuracy }: Report): void {
  assert.ok(accuracy?.top1);
  const { fp32, int8 } = accuracy.top1;
  assert.ok(fp32 - int8 < 0.7, `${fp32} %, then ${int8} %`);
}

describe('the sample', { skip: reason }, () => {
  test('loses to the quantized PReLU, says so, and has it back with the layer in float', async () => {
    const broken = await quantize(SAMPLE, 'broken');
    assert.ok(broken.accuracy?.top1 && broken.accuracy.top1.fp32 >= 97);
    // 1.13 takes the slopes as 0, which makes a ReLU: wrong, but this network survives it.
    if (!broken.environment.runtime.startsWith('torch 1.')) assert.ok(broken.accuracy.top1.int8 < 50);
    assert.match(broken.warnings.join('\n'), /stage1\.middle.*op:PReLU, quantize: false/u);
    const layers = [{ select: 'op:PReLU', quantize: false }];
    const fixed = await quantize({ ...SAMPLE, layers }, 'fixed');
    assert.ok(outputSqnr(fixed) > outputSqnr(broken) + 5, `${outputSqnr(broken)} dB, then ${outputSqnr(fixed)} dB`);
    assertWithinAPoint(fixed);
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
    assertWithinAPoint(fixed);
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
    runPython(python, folder, 'scripted/reproduce.py', out);
    assert.ok(sameBits(python, report.quantized!.path, out, [2, 3, 48, 48]));
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
