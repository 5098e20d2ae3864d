import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { floatArray, runPython, sameBits } from '../../test/helpers/torch';
import { folder, IMAGES, python, quantize, reason, reproduces, statusOf } from '../../test/helpers/torchModes';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

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

const floatRow = (length: number, seed: number): number[] => [...floatArray(length, seed)];

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

  test('of two inputs is quantized, saved and loaded again', async () => {
    const source = `
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Linear(16, 32), nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(self, a, b):
        return self.head(torch.relu(self.left(a) + self.right(b)))

def build():
    torch.manual_seed(0)
    return Two()
`;
    writeFileSync(path.join(folder, 'two.py'), source);
    // The samples name them in another order than the model.
    const sample = (i: number): string => JSON.stringify({ b: [floatRow(8, i)], a: [floatRow(16, i + 50)] });
    writeFileSync(path.join(folder, 'two.jsonl'), Array.from({ length: 12 }, (_, i) => sample(i)).join('\n'));
    const recipe: Recipe = {
      ...{ framework: 'torch', model: 'two.py:build', backend: 'fbgemm', calibration: { data: 'two.jsonl' } },
      torch: { python, inputs: { a: [1, 16], b: [1, 8] } },
    };
    const outDir = path.join(folder, 'two.out');
    const report = await quantizeTorch({ recipe, baseDir: folder, outDir }, { trusted: true, threads: 1 });
    assert.equal(report.counts.quantized, 4);
    assert.ok((comparedOf(report.outputs[0]?.error)!.sqnr ?? 0) > 25);
    const wrong = { ...recipe, torch: { python } };
    await assert.rejects(quantizeTorch({ recipe: wrong, baseDir: folder, outDir }, { trusted: true }), {
      code: 'recipe-invalid',
      message: /takes a, b; give their shapes/u,
    });
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
    const failure = {
      code: 'torch-untraceable',
      hint: 'Keep what branches whole and in float, `torch: { leaves: ["2"] }`, or export the model to ONNX (in a terminal: `quantscope export`).',
      fixes: [{ title: 'Keep "2" Whole', change: { kind: 'leaves', modules: ['2'] } }],
    };
    await assert.rejects(quantize('branching', 'static', 'images.npy'), failure);
    const report = await quantize('branching', 'static', 'images.npy', { torch: { leaves: ['2'] } });
    assert.deepEqual(statusOf(report), { 0: 'quantized', 2: 'fallback', 3: 'quantized' });
    assert.ok(reproduces(report, IMAGES));
  });

  test('that branches in several modules of a kind is traced around all of them, or goes to eager mode', async () => {
    const modules = ['gates.0', 'gates.1'];
    const fixes = [
      { title: 'Quantize in Eager Mode', change: { kind: 'mode', mode: 'eager' } },
      { title: 'Keep 2 modules Whole', change: { kind: 'leaves', modules } },
    ];
    await assert.rejects(quantize('gated', 'static', 'images.npy'), { code: 'torch-untraceable', fixes });
    const around = await quantize('gated', 'static', 'images.npy', { torch: { leaves: modules } });
    const expected = { conv: 'quantized', 'gates.0': 'fallback', 'gates.1': 'fallback', head: 'quantized' };
    assert.deepEqual(statusOf(around), expected);
    const eager = await quantize('gated', 'eager', 'images.npy');
    const all = Object.fromEntries(Object.keys(expected).map((name) => [name, 'quantized']));
    assert.deepEqual(statusOf(eager), all);
    assert.ok(reproduces(eager, IMAGES));
  });

  test('that branches itself can only be moved to ONNX', async () => {
    await assert.rejects(quantize('alone', 'static', 'images.npy'), {
      code: 'torch-untraceable',
      hint: 'Export the model to ONNX, and quantize that.',
      fixes: [],
    });
  });
});
