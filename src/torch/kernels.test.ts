import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { floatArray, npyBytes, runPython, torchFolder, torchPython } from '../../test/helpers/torch';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { suggestRecipeFixes } from '../shared/suggest';
import { quantizeTorch } from './quantize';
import { comparedOf } from '../shared/measured';

const { python, reason } = torchPython();

let folder: string;
before(() => {
  folder = torchFolder();
  writeFileSync(path.join(folder, 'images.npy'), npyBytes([12, 3, 16, 16], floatArray(12 * 3 * 16 * 16, 5)));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const quantize = (factory: string, more: Partial<Recipe> = {}): Promise<Report> => {
  const torch = { python, inputs: [['batch', 3, 16, 16]] };
  const recipe: Recipe = { framework: 'torch', model: `modes.py:${factory}`, backend: 'fbgemm', torch, ...more };
  const job = { recipe: { ...recipe, calibration: { data: 'images.npy' } }, baseDir: folder };
  return quantizeTorch({ ...job, outDir: path.join(folder, 'out') }, { trusted: true, threads: 1 });
};

describe('kernels on real data', { skip: reason }, () => {
  test('sums that overflow on a CPU without VNNI are seen, named, and gone with the fix', async (t) => {
    if (process.arch !== 'x64') {
      t.skip('oneDNN has these kernels on x86 only');
      return;
    }
    // oneDNN takes the kernels of that instruction set, whatever the CPU has beyond it.
    process.env['ONEDNN_MAX_CPU_ISA'] = 'AVX2';
    try {
      const broken = await quantize('loud', { backend: 'onednn' });
      assert.equal(broken.environment.saturates, true);
      assert.match(broken.warnings.join(), /conv \(.* dB\): .*overflow 16 bits on this CPU, which has no VNNI/u);
      const backends = suggestRecipeFixes(broken).flatMap(({ change }) =>
        change.kind === 'backend' ? [change.backend] : [],
      );
      assert.deepEqual(backends, ['fbgemm']);
      const fixed = await quantize('loud', { backend: 'fbgemm' });
      assert.ok(comparedOf(fixed.layers[0]!.local)!.sqnr! > comparedOf(broken.layers[0]!.local)!.sqnr! + 10);
      assert.deepEqual(fixed.warnings, []);
    } finally {
      delete process.env['ONEDNN_MAX_CPU_ISA'];
    }
  });

  test('an activation of every kind that is excluded between convolutions runs in float', async () => {
    const kinds = runPython(python, folder, '-c', 'import modes; print(*modes.Activations.KINDS)').split(' ');
    const report = await quantize('activations', { layers: kinds.map((select) => ({ select, quantize: false })) });
    const status = Object.fromEntries(report.layers.map(({ name, status, reason: why }) => [name, [status, why]]));
    for (const kind of kinds) {
      assert.deepEqual(status[kind], ['float', 'excluded'], kind);
      assert.equal(status[`after_${kind}`]?.[0], 'quantized', `after_${kind}`);
    }
    // TorchScript tells it too: no quantized kernel but those of the convolutions.
    const code = `
import torch
torch.backends.quantized.engine = "fbgemm"
graph = str(torch.jit.freeze(torch.jit.load("out/modes.int8.pt").eval()).graph)
print(*sorted(set(__import__("re").findall(r"quantized::\\w+", graph))))`;
    assert.equal(runPython(python, folder, '-c', code), 'quantized::conv2d');
    // Without the entries most of them run in int8: the exclusion is what keeps them.
    const plain = await quantize('activations', { layers: [{ select: 'prelu', quantize: false }] });
    const int8 = plain.layers.filter(({ name, status }) => kinds.includes(name) && status === 'quantized');
    assert.ok(int8.length >= 6, int8.map(({ name }) => name).join());
  });

  test('what is written in place spoils no comparison', async () => {
    const errors = async (factory: string): Promise<unknown> =>
      (await quantize(factory)).layers.map(({ name, local, accumulated }) => [name, local, accumulated]);
    assert.deepEqual(await errors('inplace'), await errors('outofplace'));
  });

  test('what is read again after it was written over is compared as it is read, and told where int8 reads otherwise', async () => {
    const isTrue = (report: Report): void => {
      const { sqnr } = comparedOf(report.outputs[0]!.error)!;
      const code = `
import numpy as np, torch, modes
torch.backends.quantized.engine = "fbgemm"
torch.set_num_threads(1)
rows = [torch.from_numpy(row[None]) for row in np.load("images.npy")]
net, saved = modes.rewritten(), torch.jit.load("out/modes.int8.pt")
with torch.no_grad():
    pairs = [(net(x.clone()).double(), saved(x.clone()).double()) for x in rows]
print(10 * np.log10(sum(float((a * a).sum()) for a, _ in pairs) / sum(float(((a - b) ** 2).sum()) for a, b in pairs)))`;
      const direct = Number(runPython(python, folder, '-c', code));
      assert.ok(Math.abs(sqnr! - direct) < 1e-3, `${sqnr} dB, directly ${direct} dB`);
    };
    const int8 = await quantize('rewritten');
    isTrue(int8);
    assert.deepEqual(int8.warnings, []);
    for (const { name, local } of int8.layers)
      if (local !== null) assert.ok(comparedOf(local)!.sqnr! > 25, `${name}: ${comparedOf(local)!.sqnr} dB`);
    // In float the clip writes over a copy of what the convolution gave, which the sum then reads unclipped.
    const kept = await quantize('rewritten', { layers: [{ select: 'clip', quantize: false }] });
    isTrue(kept);
    assert.match(kept.warnings.join(), /^add\S*: .* writes in place over what is read here.*inplace=False/u);
  });
});
