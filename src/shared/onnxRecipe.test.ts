import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { onnxRecipe } from './onnxRecipe';
import type { Recipe } from './recipe';
import { parseRecipe } from './recipeDocument';
import { explainedRecipe } from './newRecipe';

const SHARED: Pick<Recipe, 'calibration' | 'preprocess' | 'validate' | 'gates'> = {
  calibration: { data: ['a', 'b'], samples: 7, observer: 'mse', percentile: 99.9, seed: 3 },
  preprocess: 'tf',
  validate: { data: 'images/validation', labels: 'labels.tsv', samples: 9 },
  gates: { 'min-output-sqnr': 20 },
};
const TORCH: Recipe = {
  ...{ framework: 'torch', model: 'net.py:build', backend: 'fbgemm', mode: 'qat' },
  torch: { weights: 'net.pth', leaves: ['gate'], epochs: 3 },
};

test('data, preprocessing and gates are carried over, what is PyTorch’s is not', () => {
  const { recipe, warnings } = onnxRecipe({ ...TORCH, ...SHARED }, 'net.fp32.onnx');
  assert.deepEqual(recipe, { model: 'net.fp32.onnx', backend: 'ort-cpu', mode: 'static', ...SHARED });
  assert.deepEqual(warnings, []);
});

test('it is a recipe that can be read again', () => {
  const { recipe } = onnxRecipe({ ...TORCH, ...SHARED }, 'net.fp32.onnx');
  assert.deepEqual(parseRecipe(explainedRecipe(recipe, undefined), 'net.fp32.quant.yaml').recipe, recipe);
});

test('a DataLoader becomes synthetic data, and what it validated on goes', () => {
  const old: Recipe = {
    ...TORCH,
    calibration: { data: 'net.py:loader', samples: 40, observer: 'entropy' },
    validate: { data: 'package.data:validation' },
  };
  const { recipe, warnings } = onnxRecipe(old, 'net.fp32.onnx');
  assert.deepEqual(recipe.calibration, { data: 'synthetic', samples: 40, observer: 'entropy' });
  assert.ok(!('validate' in recipe));
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /`net\.py:loader` is a DataLoader.*synthetic/);
  assert.match(warnings[1] ?? '', /`package\.data:validation` is a DataLoader.*no `validate`/);
});

test('without data it is synthetic as well, and settings of layers are named', () => {
  const old: Recipe = { ...TORCH, layers: [{ select: 'fc', quantize: false }], weights: 'int8' };
  const { recipe, warnings } = onnxRecipe(old, 'net.fp32.onnx');
  assert.deepEqual(recipe.calibration, { data: 'synthetic' });
  assert.match(warnings[0] ?? '', /names no calibration data.*synthetic/);
  assert.match(warnings[1] ?? '', /`layers`, `weights`/);
});
