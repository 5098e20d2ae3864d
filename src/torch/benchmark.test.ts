import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, torchPython } from '../../test/helpers/torch';
import { benchmarkTorch, isTorchBenchmark } from './benchmark';
import { quantizeTorch } from './quantize';

const { python, reason } = torchPython();

test('recipes, factories and pickles go to PyTorch, ONNX models do not', () => {
  const isTorch = (...models: string[]): boolean => isTorchBenchmark({ models, baseDir: '.' });
  assert.ok(isTorch('net.quant.yaml') && isTorch('net.py:build') && isTorch('package.net:build') && isTorch('a.pt'));
  assert.ok(!isTorch('net.onnx', 'net.int8.onnx') && !isTorch('C:\\models\\net.onnx'));
});

describe('the race', { skip: reason }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-race-'));
    const net = 'nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 8))';
    writeFileSync(path.join(folder, 'net.py'), `from torch import nn\n\ndef build():\n    return ${net}\n`);
    writeFileSync(path.join(folder, 'data.npy'), npyBytes([8, 64], floatArray(8 * 64, 3)));
    const recipe = `framework: torch\nmodel: net.py:build\ntorch: { python: ${python} }\nbackend: fbgemm\ncalibration: { data: data.npy }\n`;
    writeFileSync(path.join(folder, 'net.quant.yaml'), recipe);
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('a recipe that was run stands for its fp32 and its int8 model', async () => {
    const input = { models: ['net.quant.yaml'], baseDir: folder, warmup: 1, runs: 5 };
    await assert.rejects(benchmarkTorch(input, { trusted: true }), { code: 'file-not-found', hint: /quantscope run/u });
    const report = await quantizeTorch(
      {
        recipe: {
          framework: 'torch',
          model: 'net.py:build',
          torch: { python },
          backend: 'fbgemm',
          calibration: { data: 'data.npy' },
        },
        baseDir: folder,
      },
      { trusted: true, threads: 1 },
    );
    const { entries, threads, runs } = await benchmarkTorch(input, { trusted: true });
    assert.deepEqual([threads, runs], [1, 5]);
    assert.deepEqual(
      entries.map(({ model }) => path.relative(folder, model)),
      ['net.py:build', path.relative(folder, report.quantized!.path)],
    );
    assert.deepEqual(
      entries.map(({ bytes }) => bytes),
      [4 * (64 * 256 + 256 + 256 * 8 + 8), report.quantized!.bytes],
    );
    for (const { min, median, mean, p95 } of entries) assert.ok(min > 0 && min <= median && median <= p95 && mean > 0);
    assert.equal(entries[0]!.ratio, 1);

    // Int8 weights are packed, and tell nobody what the model takes.
    const alone = { models: [report.quantized!.path], baseDir: folder, recipe: { model: '', torch: { python } } };
    await assert.rejects(benchmarkTorch(alone, { trusted: true }), {
      code: 'recipe-invalid',
      message: /shape of what the model takes/u,
      hint: /--shape/u,
    });
    const shaped = await benchmarkTorch({ ...alone, shapes: { input: [1, 64] }, runs: 2 }, { trusted: true });
    assert.equal(shaped.entries.length, 1);
  });

  test('without trust no Python is started', async () => {
    mkdirSync(path.join(folder, '.venv/bin'), { recursive: true });
    const program = path.join(folder, '.venv/bin/python');
    writeFileSync(program, `#!/bin/sh\ntouch '${folder}/started'\n`, { mode: 0o755 });
    await assert.rejects(benchmarkTorch({ models: ['net.py:build'], baseDir: folder }), { code: 'torch-untrusted' });
    assert.ok(!existsSync(path.join(folder, 'started')));
    rmSync(program);
  });
});
