import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { floatArray, npyBytes } from '../../test/helpers/torch';
import { folder, quantize, reason } from '../../test/helpers/torchModes';
import { comparedOf } from '../shared/measured';

const WORSE = 'Training made the int8 model worse than calibration alone: ';

describe('a training beside calibration alone', { skip: reason }, () => {
  test('distillation that leaves the outputs farther from fp32 is told with both figures', async () => {
    // The moving average starts at a sample that has next to no range, and a training of one small step stays there.
    const rows = floatArray(20 * 3 * 16 * 16, 5).map((value, i) => (i < 3 * 16 * 16 ? value / 100 : value));
    writeFileSync(path.join(folder, 'rising.npy'), npyBytes([20, 3, 16, 16], rows));
    const calibration = { data: 'rising.npy' };
    const torch = { epochs: 1, 'learning-rate': 1e-9 };
    const trained = await quantize('plain', 'qat', 'rising.npy', { calibration, torch });
    const told = trained.warnings.find((line) => line.startsWith(WORSE)) ?? '';
    const [, after, before] =
      /the outputs have (\S+) dB trained, (\S+) dB without\. Use `mode: static`/.exec(told) ?? [];
    assert.ok(Number(before) > Number(after) + 3, trained.warnings.join('\n'));
    const alone = await quantize('plain', 'static', 'rising.npy', { calibration });
    assert.ok(
      Math.abs(comparedOf(alone.outputs[0]!.error)!.sqnr! - Number(before)) < 0.06,
      `${comparedOf(alone.outputs[0]?.error)!.sqnr} dB`,
    );
    assert.ok(
      Math.abs(comparedOf(trained.outputs[0]!.error)!.sqnr! - Number(after)) < 0.06,
      `${comparedOf(trained.outputs[0]?.error)!.sqnr} dB`,
    );
  });

  test("a function of the user's is judged by top-1, and needs labels for that", async () => {
    writeFileSync(
      path.join(folder, 'spoiled.py'),
      `
import torch, modes

def train(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(-1)

def answered():
    net, drawn = modes.plain(), modes.Drawn()
    images = [drawn[index][0] for index in range(len(drawn))]
    return [(image[None], net(image[None]).argmax(1)) for image in images]
`,
    );
    const torch = { train: 'spoiled.py:train' };
    const labelled = await quantize('plain', 'qat', 'images.npy', { torch, validate: { data: 'spoiled.py:answered' } });
    const told = labelled.warnings.find((line) => line.startsWith(WORSE)) ?? '';
    const [, after, before] = /top-1 is (\S+) % trained, (\S+) % without\. .*`torch\.train`/.exec(told) ?? [];
    assert.equal(Number(after), labelled.accuracy?.top1?.int8, labelled.warnings.join('\n'));
    assert.ok(Number(before) > Number(after));
    const unlabelled = await quantize('plain', 'qat', 'images.npy', { torch });
    assert.ok(!unlabelled.warnings.some((line) => line.startsWith(WORSE)), unlabelled.warnings.join('\n'));
  });
});
