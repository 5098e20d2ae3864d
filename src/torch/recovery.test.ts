import assert from 'node:assert/strict';
import { copyFileSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, torchFolder, torchPython } from '../../test/helpers/torch';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { quantizeTorch } from './quantize';

const { python, reason } = torchPython();

/** A thousand images: an image is a tenth of a point. */
const SAMPLES = 1000;

describe('what training gives back', { skip: reason }, () => {
  let folder: string;
  before(() => {
    folder = torchFolder();
    copyFileSync(path.join(ROOT, 'samples/train.py'), path.join(folder, 'drawing.py'));
    copyFileSync(path.join(ROOT, 'samples/torch/shapesnet.py'), path.join(folder, 'shapesnet.py'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const quantize = (mode: 'static' | 'qat'): Promise<Report> => {
    const recipe: Recipe = {
      framework: 'torch',
      model: 'imbalanced.py:build',
      torch: { python, inputs: [['batch', 3, 48, 48]] },
      // One scale for the weights of a layer, as this backend has it.
      backend: 'qnnpack',
      mode,
      calibration: { data: 'imbalanced.py:training', samples: 400 },
      validate: { data: 'imbalanced.py:test', samples: SAMPLES },
      // What Quantscope proposes of itself on this backend.
      layers: ['op:PReLU', 'op:ReLU6'].map((select) => ({ select, quantize: false })),
    };
    return quantizeTorch({ recipe, baseDir: folder, outDir: path.join(folder, mode) }, { trusted: true, threads: 1 });
  };

  test('a channel that spoils the scale of all others costs two points and more, and training half a point at most', async () => {
    const reached = async (mode: 'static' | 'qat'): Promise<{ readonly fp32: number; readonly int8: number }> => {
      const { accuracy } = await quantize(mode);
      assert.equal(accuracy?.samples, SAMPLES);
      return accuracy.top1!;
    };
    const before = await reached('static');
    const after = await reached('qat');
    const figures = `fp32 ${before.fp32} %, static ${before.int8} %, trained ${after.int8} %`;
    assert.equal(after.fp32, before.fp32);
    assert.ok(before.fp32 - before.int8 >= 2, figures);
    assert.ok(after.fp32 - after.int8 <= 0.5, figures);
  });
});
