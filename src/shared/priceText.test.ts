import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Difference, Price } from './price';
import { briefPrice } from './priceText';

const told = (value: number): Difference => ({ value, low: 0.9 * value, high: 1.1 * value });
const NOISE: Difference = { value: 3, low: -1, high: 7 };
const brief = (changes: Partial<Price>): string =>
  briefPrice({
    price: { sqnr: NOISE, agreement: null, top1: null, latency: NOISE, bytes: 5, macs: 0, samples: 9, ...changes },
  });

test('in brief a price is what is beyond the noise', () => {
  assert.equal(brief({ sqnr: told(9.95) }), 'output +9.95 dB');
  assert.equal(brief({ sqnr: told(9.95), top1: NOISE, latency: told(0.031) }), 'output +9.95 dB, time +3.10 %');
  assert.equal(brief({ top1: told(2), agreement: told(3) }), 'top-1 +2.00 points');
  assert.equal(brief({ agreement: told(3) }), 'same class +3.00 points');
});

test('what makes things worse, changes nothing, or is not known is called that', () => {
  assert.equal(brief({ sqnr: told(-1.5) }), 'makes it worse: output −1.50 dB');
  assert.equal(brief({}), 'no difference beyond the noise');
  assert.equal(briefPrice(undefined), 'not tried yet');
  assert.equal(briefPrice({ price: null }), 'cannot be applied');
});
