import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layersFrom } from '../fixtures/layers';
import { losses, speedParts } from './speedParts';

const layers = layersFrom([
  { fp32: 10, int8: 5 },
  { fp32: 10, int8: 10.5 },
  { fp32: 10, int8: 16 },
  { fp32: 4, int8: 5, status: 'fallback' },
  { fp32: 3, int8: 3, status: 'float' },
  { fp32: null, int8: 2 },
  {},
]);

test('the parts of both models add up to all that was timed', () => {
  const parts = speedParts(layers, { int8: 30, fp32: 7 })!;
  assert.deepEqual(parts, {
    faster: { fp32: 20, int8: 17.5 },
    slower: { fp32: 10, int8: 16 },
    float: { fp32: 7, int8: 8 },
    conversions: { fp32: 7, int8: 30 },
  });
});

test('without times there is nothing to tell', () => {
  assert.equal(speedParts(layersFrom([{}, {}]), { int8: null, fp32: null }), undefined);
});

test('the layers that lose most come first, noise and float ones counted for what they are', () => {
  assert.deepEqual(
    losses(layers, 5).map(({ layer }) => layer),
    [2, 3],
  );
  assert.equal(losses(layers, 1).length, 1);
});
