import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultsFolder } from './resultsFolder';

const slashed = (...args: Parameters<typeof resultsFolder>): string => resultsFolder(...args).replaceAll('\\', '/');

test('results lie beside the model, under its name', () => {
  assert.equal(slashed('models/net.v2.onnx'), 'models/net.v2.quant');
  assert.equal(slashed('models/net.py:build', 'torch'), 'models/net.torch.quant');
  assert.equal(slashed('models/net.pt', 'torch'), 'models/net.torch.quant');
  assert.equal(slashed('models/package.net:build', 'torch'), 'models/net.torch.quant');
});

test('a network and what it was exported to keep their results apart', () => {
  assert.notEqual(slashed('net.py', 'torch'), slashed('net.onnx'));
});
