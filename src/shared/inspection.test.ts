import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plannedStatus, type InspectedLayer } from './inspection';

const layer = (reason: InspectedLayer['reason']): InspectedLayer => ({
  name: 'a',
  op: 'Conv',
  fused: [],
  nodes: ['a'],
  scope: '',
  decision: reason === null ? 'quantize' : 'float',
  reason,
  macs: 0,
  inputs: [],
  outputs: [],
});

test('a plan tells what is float on purpose from what has no kernel', () => {
  assert.equal(plannedStatus(layer(null)), 'quantized');
  assert.equal(plannedStatus(layer('op-not-supported')), 'fallback');
  assert.equal(plannedStatus(layer('excluded')), 'float');
});
