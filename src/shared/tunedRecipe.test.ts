import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { tunedRecipe } from './tunedRecipe';

const RECIPE = `# mine
model: net.onnx # the net
calibration: { data: images, samples: 10 }
layers:
  - select: a
    quantize: false
`;

describe('the recipe that a tune found', () => {
  test('keeps what was written, says why above each block and in each entry', () => {
    const text = tunedRecipe(RECIPE, [
      { change: { kind: 'weights', granularity: 'per-channel' }, because: 'alone, it takes 2.0 to 16.0 dB' },
      { change: { kind: 'observer', observer: 'mse' }, because: 'alone, it takes 2.0 to 3.0 dB' },
      { change: { kind: 'override', override: { select: 'b', quantize: false, because: '9 dB' } }, because: '9 dB' },
    ]);
    assert.match(text, /^# mine\nmodel: net\.onnx # the net\n/);
    assert.match(text, /# Tuned: weights per-channel; alone, it takes 2\.0 to 16\.0 dB\.\nweights:/);
    assert.match(text, /# Tuned: ranges by mse; alone, it takes 2\.0 to 3\.0 dB\.\ncalibration:/);
    assert.deepEqual(parse(text), {
      model: 'net.onnx',
      calibration: { data: 'images', samples: 10, observer: 'mse' },
      weights: { granularity: 'per-channel' },
      layers: [
        { select: 'a', quantize: false },
        { select: 'b', quantize: false, because: '9 dB' },
      ],
    });
  });

  test('no change is no edit; a change that the recipe says already gets no comment', () => {
    assert.equal(tunedRecipe(RECIPE, []), RECIPE);
    const mse = { change: { kind: 'observer', observer: 'mse' }, because: 'x' } as const;
    const once = tunedRecipe(RECIPE, [mse]);
    assert.equal(tunedRecipe(once, [mse]), once);
  });

  test('a recipe in braces stays one', () => {
    const change = { kind: 'weights', granularity: 'per-channel' } as const;
    const text = tunedRecipe('{ model: net.onnx }\n', [{ change, because: 'x' }]);
    assert.deepEqual(parse(text), { model: 'net.onnx', weights: { granularity: 'per-channel' } });
    assert.match(text, /^# Tuned: /);
  });
});
