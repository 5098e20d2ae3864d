import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { runPython, sameBits } from '../../test/helpers/torch';
import { folder, IMAGES, python, quantize, reason, reproduces, statusOf } from '../../test/helpers/torchModes';
import type { Report } from '../shared/report';
import { quantizeTorch } from './quantize';

const load = (model: string, torch: { readonly weights?: string } = {}): Promise<Report> => {
  const recipe = { framework: 'torch', model, backend: 'fbgemm', calibration: { data: 'images.npy' } } as const;
  const inputs = [['batch', 3, 16, 16]];
  return quantizeTorch(
    {
      recipe: { ...recipe, torch: { python, inputs, ...torch } },
      baseDir: folder,
      outDir: path.join(folder, `${path.basename(model).replace(':', '-')}.out`),
    },
    { trusted: true, threads: 1 },
  );
};

describe('a model', { skip: reason }, () => {
  test('of a file, of a package, of a pickle, and of a factory with weights is the same model', async () => {
    mkdirSync(path.join(folder, 'nets'));
    writeFileSync(path.join(folder, 'nets/__init__.py'), '');
    writeFileSync(path.join(folder, 'nets/small.py'), 'from modes import plain as build\n');
    writeFileSync(path.join(folder, 'bare.py'), 'import modes\n\ndef build():\n    return modes.Plain()\n');
    const save = `
import torch, modes
torch.save(modes.plain(), "pickled.pt")
torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in modes.plain().state_dict().items()}}, "weights.pth")`;
    runPython(python, folder, '-c', save);
    const made = await Promise.all([
      load('modes.py:plain'),
      load('nets.small:build'),
      load('pickled.pt'),
      load('bare.py:build', { weights: 'weights.pth' }),
    ]);
    const [first, ...others] = made.map(({ quantized }) => quantized!.path);
    for (const other of others) assert.ok(sameBits(python, first!, other, IMAGES), other);
    assert.ok(reproduces(made[2], IMAGES));
    assert.ok(reproduces(made[3], IMAGES));
  });

  test('that is a pickle of weights, or of a class that is gone, says what to name instead', async () => {
    const save = `
import sys, types, torch, modes
torch.save(modes.plain().state_dict(), "bare.pth")
from torch import nn
gone = types.ModuleType("gone")
sys.modules["gone"] = gone
exec("class Net(nn.Module): pass", {"nn": nn, "__name__": "gone"}, gone.__dict__)
torch.save(gone.Net(), "orphan.pt")`;
    runPython(python, folder, '-c', save);
    await assert.rejects(load('bare.pth'), { code: 'model-invalid', message: /`torch\.weights`/u });
    await assert.rejects(load('orphan.pt'), { code: 'model-unreadable', message: /a factory, `file\.py:factory`/u });
  });

  test('that cannot be traced is quantized around the module that branches', async () => {
    const failure = { code: 'torch-failed', hint: /`torch: \{ leaves: \[…\] \}`.*`mode: eager`.*ONNX/u };
    await assert.rejects(quantize('branching', 'static', 'images.npy'), failure);
    const report = await quantize('branching', 'static', 'images.npy', { torch: { leaves: ['2'] } });
    assert.deepEqual(statusOf(report), { 0: 'quantized', 2: 'fallback', 3: 'quantized' });
    assert.ok(reproduces(report, IMAGES));
  });
});
