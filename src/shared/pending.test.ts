import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figuresOf, MEASURING, measuredAfter } from './pending';

test('what is still measured is named in the order in which it comes', () => {
  assert.deepEqual(MEASURING, ['analyze', 'evaluate', 'benchmark']);
  assert.equal(figuresOf(measuredAfter('verify')), 'errors, accuracy and latency');
  assert.equal(figuresOf(measuredAfter('analyze')), 'accuracy and latency');
  assert.equal(figuresOf(measuredAfter('evaluate')), 'latency');
  assert.equal(figuresOf(measuredAfter('benchmark')), '');
});
