import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { runPython } from '../../test/helpers/torch';
import { NO_TORCHAO, folder, python, quantize, samePrograms, statusOf } from '../../test/helpers/torchModes';
import type { Report } from '../shared/report';
import { WORKER_FOLDER } from './worker';

function reproduces({ quantized }: Report, shape: readonly number[]): boolean {
  const made = quantized!.path;
  const again = path.join(folder, 'again.pt2');
  runPython(python, folder, path.join(path.dirname(made), 'reproduce.py'), again);
  return samePrograms(made, again, shape);
}

describe('mode pt2e', { skip: NO_TORCHAO }, () => {
  test('an excluded layer stays in float, another has an observer of its own; the script makes the same bits', async () => {
    const layers = [
      { select: 'first', quantize: false },
      { select: 'largest', quantize: false },
      { select: 'after_relu6', observer: 'min-max' as const },
      { select: 'after_elu', observer: 'percentile' as const, percentile: 99 },
    ];
    const report = await quantize('activations', 'pt2e', 'images.npy', { layers, torch: { onnx: true } });
    const layer = (name: string): Report['layers'][number] => report.layers.find((one) => one.name === name)!;
    for (const name of ['first', 'largest']) {
      assert.deepEqual([layer(name).status, layer(name).reason], ['float', 'excluded'], name);
      assert.ok(
        layer(name).tensors.every(({ quantization }) => quantization === null),
        name,
      );
    }
    assert.deepEqual([layer('norm').status, layer('norm').reason], ['fallback', 'op-not-supported']);
    const status = statusOf(report);
    for (const name of ['after_hardswish', 'after_relu6', 'after_elu', 'after_largest']) {
      assert.equal(status[name], 'quantized', name);
    }
    const input = (name: string): string | null | undefined =>
      layer(name).tensors.find(({ role }) => role === 'input')?.chosenBy?.observer;
    assert.deepEqual(['after_hardswish', 'after_relu6', 'after_elu'].map(input), ['mse', 'min-max', 'percentile']);
    assert.match(report.warnings.join(), /could not be written as ONNX: mode pt2e/u);
    assert.ok(reproduces(report, [1, 3, 16, 16]));
  });

  test('takes the place of FX graph mode where torch.ao.quantization is gone, and says so', async () => {
    // The packages themselves still need it in this torch: only the worker is to find it gone. It cannot lower either.
    const source = `
import builtins
original = builtins.__import__
def without(name, globals=None, *rest, **more):
    ours = ((globals or {}).get("__file__") or "").startswith(${JSON.stringify(WORKER_FOLDER)})
    if ours and (name == "torch.ao" or name.startswith("torch.ao.") or name.endswith(".pt2e.lowering")):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return original(name, globals, *rest, **more)
builtins.__import__ = without
`;
    const site = path.join(folder, 'without-ao');
    mkdirSync(site, { recursive: true });
    writeFileSync(path.join(site, 'sitecustomize.py'), source);
    process.env['PYTHONPATH'] = site;
    try {
      const report = await quantize('plain', 'static', 'images.npy');
      assert.equal(report.mode, 'pt2e');
      assert.match(report.quantized!.path, /\.int8\.pt2$/u);
      assert.deepEqual(statusOf(report), { conv: 'quantized', mean: 'fallback', fc: 'quantized' });
      assert.match(
        report.warnings.join(),
        /no longer has torch\.ao\.quantization: instead of FX graph mode, prepare_pt2e/u,
      );
      assert.match(report.warnings.join(), /failed here: ModuleNotFoundError.*no speed is told/u);
      assert.equal(report.latency, null);
      assert.match(report.layers[0]?.kernel ?? '', /float, between quantize and dequantize/u);
      await assert.rejects(quantize('plain', 'qat', 'images.npy'), {
        code: 'torch-missing',
        message: /no longer has torch\.ao\.quantization, which `mode: qat` needs/u,
      });
    } finally {
      delete process.env['PYTHONPATH'];
    }
  });
});
