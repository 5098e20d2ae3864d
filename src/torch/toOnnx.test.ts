import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, runPython, torchFolder, torchPython } from '../../test/helpers/torch';
import { quantize } from '../core/pipeline/quantize';
import { readRecipe } from '../core/recipeFile';
import { openSession } from '../core/runtime/session';
import { makeTensor } from '../core/tensor';
import type { OnnxExport } from '../shared/onnxExport';
import type { Recipe } from '../shared/recipe';
import { exportOnnx } from './toOnnx';
import { comparedOf } from '../shared/measured';

const COUNT = 12;
const SHAPE = [COUNT, 3, 16, 16];

for (const release of ['oldest', 'newest'] as const) {
  const { python, reason } = torchPython(release);
  describe(`to ONNX by the ${release} torch`, { skip: reason }, () => {
    let folder: string;
    const data = floatArray(COUNT * 3 * 16 * 16, 5);
    before(() => {
      folder = torchFolder();
      writeFileSync(path.join(folder, 'images.npy'), npyBytes(SHAPE, data));
    });
    after(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    const recipeOf = (factory: string, more: Partial<Recipe> = {}): Recipe => ({
      ...{ framework: 'torch', model: `modes.py:${factory}`, backend: 'fbgemm' },
      torch: { python, inputs: [['batch', 3, 16, 16]] },
      calibration: { data: 'images.npy', samples: 8, observer: 'mse' },
      ...more,
    });
    /** Into names of the test's own, so that the next one finds them free. */
    const moved = async (recipe: Recipe): Promise<OnnxExport> => {
      for (const file of ['modes.fp32.onnx', 'modes.fp32.quant.yaml']) rmSync(path.join(folder, file), { force: true });
      return exportOnnx({ recipe, baseDir: folder }, { trusted: true, threads: 1 });
    };

    test('onnxruntime computes what torch does, for another batch as well, and the new recipe quantizes it', async () => {
      const made = await moved(recipeOf('outofplace', { gates: { 'min-output-sqnr': 20 } }));
      assert.deepEqual(made.warnings, []);
      assert.equal(made.model, path.join(folder, 'modes.fp32.onnx'));
      assert.equal(made.recipe, path.join(folder, 'modes.fp32.quant.yaml'));
      assert.equal(made.samples, 4);
      assert.ok((made.sqnr ?? Infinity) > 100, `${String(made.sqnr)} dB`);

      const code = `
import json, numpy as np, torch, modes
with torch.no_grad():
    print(json.dumps(modes.outofplace()(torch.from_numpy(np.load("images.npy"))).flatten().tolist()))`;
      const expected = JSON.parse(runPython(python, folder, '-c', code)) as number[];
      const session = await openSession(made.model, { threads: 1 });
      try {
        const [input] = session.inputs;
        assert.equal(typeof input!.shape[0], 'string', 'the batch stays open');
        const { output } = await session.run({ [input!.name]: makeTensor('float32', SHAPE, data) });
        const found = output!.data as Float32Array;
        assert.equal(found.length, expected.length);
        const signal = expected.reduce((sum, value) => sum + value ** 2, 0);
        const noise = expected.reduce((sum, value, i) => sum + (value - found[i]!) ** 2, 0);
        assert.ok(10 * Math.log10(signal / noise) > 100, `${10 * Math.log10(signal / noise)} dB`);
      } finally {
        await session.close();
      }

      const { recipe } = await readRecipe(made.recipe);
      assert.deepEqual(recipe, {
        ...{ model: 'modes.fp32.onnx', backend: 'ort-cpu', mode: 'static' },
        ...{ calibration: { data: 'images.npy', samples: 8, observer: 'mse' }, gates: { 'min-output-sqnr': 20 } },
      });
      const report = await quantize({ recipe, baseDir: folder }, { threads: 1 });
      assert.equal(report.framework, 'onnx');
      assert.ok(report.counts.quantized >= 2);
      assert.ok((comparedOf(report.outputs[0]?.error)!.sqnr ?? 0) > 20);
    });

    test('a branch is fixed to the way of the first sample, which is said with its line', async () => {
      const { warnings, sqnr } = await moved(recipeOf('alone'));
      const line = readFileSync(path.join(folder, 'modes.py'), 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('if bool(x.mean() > 0)'));
      assert.match(warnings[0] ?? '', /branches on its data.*the way of the first sample/u);
      assert.ok(warnings[0]?.includes(`(modes.py:${line + 1})`), warnings[0]);
      // Of the samples that are compared, others take the other way.
      assert.ok((sqnr ?? Infinity) < 60);
      assert.match(warnings[1] ?? '', /agrees with PyTorch by .* dB alone/u);
    });

    test('one inside a model is told as well', async () => {
      const { warnings } = await moved(recipeOf('branching'));
      assert.match(warnings[0] ?? '', /branches on its data/u);
    });

    test('a DataLoader gives the example, and the new recipe is synthetic', async () => {
      const data = 'modes.py:loader';
      const { warnings, recipe } = await moved(recipeOf('outofplace', { calibration: { data }, validate: { data } }));
      assert.equal(warnings.length, 2);
      assert.match(warnings[0] ?? '', /DataLoader.*synthetic/u);
      const written = (await readRecipe(recipe)).recipe;
      assert.deepEqual([written.calibration, written.validate], [{ data: 'synthetic' }, undefined]);
    });

    test('without data it needs none, and what hinders it is said', async () => {
      const bare = recipeOf('outofplace');
      delete bare.calibration;
      const { warnings, sqnr } = await moved(bare);
      assert.ok((sqnr ?? Infinity) > 100);
      assert.match(warnings.join(), /synthetic/u);
      const source = `
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.linalg.svdvals(self.conv(x))

def build():
    return Odd()
`;
      writeFileSync(path.join(folder, 'odd.py'), source);
      await assert.rejects(moved({ ...bare, model: 'odd.py:build' }), {
        code: 'torch-failed',
        message: /could not be written as ONNX: .*svd/u,
      });
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.includes('odd.fp32') || name.endsWith('.tmp')),
        [],
      );
    });

    const skip = release === 'oldest' && 'torch 1.13 needs no other package to write a network of its own operators';
    test('an exporter without its package names what installs it', { skip }, async () => {
      const source = 'import sys\nsys.modules["onnx"] = None\nimport modes\n\ndef build():\n    return modes.plain()\n';
      writeFileSync(path.join(folder, 'bare.py'), source);
      await assert.rejects(moved(recipeOf('', { model: 'bare.py:build' })), {
        code: 'torch-missing',
        message: /needs the package onnx/u,
        hint: /-m pip install onnx`/u,
      });
      assert.ok(!existsSync(path.join(folder, 'bare.fp32.onnx')));
    });
  });
}

describe('to ONNX', () => {
  let folder: string;
  before(() => {
    folder = torchFolder();
    // Leaves a trace where it is started.
    writeFileSync(path.join(folder, 'python'), '#!/bin/sh\ntouch started\n', { mode: 0o755 });
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const RECIPE: Recipe = { framework: 'torch', model: 'modes.py:plain', torch: { python: './python' } };

  test('overwrites neither file, and starts no Python where one exists', async () => {
    for (const name of ['modes.fp32.onnx', 'modes.fp32.quant.yaml']) {
      const file = path.join(folder, name);
      writeFileSync(file, 'mine');
      await assert.rejects(exportOnnx({ recipe: RECIPE, baseDir: folder }, { trusted: true }), {
        code: 'usage',
        message: `${name} exists.`,
        hint: /remove it first/u,
      });
      assert.equal(readFileSync(file, 'utf8'), 'mine');
      rmSync(file);
    }
    assert.ok(!existsSync(path.join(folder, 'started')));
  });

  test('starts no Python that is not trusted', async () => {
    await assert.rejects(exportOnnx({ recipe: RECIPE, baseDir: folder }), { code: 'torch-untrusted' });
    assert.ok(!existsSync(path.join(folder, 'started')));
  });

  test('takes no ONNX model', async () => {
    await assert.rejects(exportOnnx({ recipe: { model: 'net.onnx' }, baseDir: folder }, { trusted: true }), {
      code: 'usage',
      message: /net\.onnx is an ONNX model already/u,
    });
  });
});
