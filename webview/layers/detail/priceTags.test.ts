import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Price } from '../../../src/shared/price';
import { priceRows } from './priceTags';

const price: Price = {
  sqnr: { value: 11, low: 9.94, high: 12.1 },
  agreement: { value: 3.9, low: -0.307, high: 8.15 },
  top1: null,
  latency: { value: -0.0787, low: -0.192, high: -0.0214 },
  ...{ bytes: -684, macs: -1.46, samples: 100 },
};
const rows = (change: Partial<Price> = {}) =>
  Object.fromEntries(
    priceRows({ ...price, ...change }).map(({ label, text, interval, tone }) => [label, { text, interval, tone }]),
  );

test('a change beyond the noise is told with where it lies, better or worse as its kind has it', () => {
  assert.deepEqual(rows()['Output'], { text: '+11.0 dB', interval: '9.94 … 12.1', tone: 'better' });
  assert.deepEqual(rows()['Time'], { text: '−7.87 %', interval: '−19.2 … −2.14', tone: 'better' });
  const slower = { value: 0.17, low: 0.12, high: 0.22 };
  assert.equal(rows({ latency: slower })['Time']?.tone, 'worse');
  assert.equal(rows({ sqnr: { value: -2, low: -3, high: -1 } })['Output']?.tone, 'worse');
});

test('what may be chance is called that', () => {
  assert.deepEqual(rows()['Same class'], {
    ...{ text: 'noise', interval: '−0.307 … 8.15', tone: 'same' },
  });
  assert.equal(rows({ sqnr: { value: 0, low: 0, high: 0 } })['Output']?.text, 'no change');
});

test('sizes and multiply-adds are exact', () => {
  assert.deepEqual(rows()['Size'], { text: '−684 B', interval: '', tone: 'better' });
  assert.deepEqual(rows()['In int8'], { text: '−1.46 points', interval: '', tone: 'worse' });
  assert.deepEqual(rows({ bytes: 0, macs: 0 })['Size'], { text: 'no change', interval: '', tone: 'same' });
});

test('what was not measured has no row', () => {
  assert.deepEqual(Object.keys(rows({ agreement: null, latency: null })), ['Output', 'Size', 'In int8']);
});
