import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layersFrom } from '../fixtures/layers';
import { shorten } from '../../src/shared/format';
import { age, announcement, bareDB, changeDB, dB } from './text';
import { shareText } from './verdicts';

test('decibels in three digits, changes with a sign', () => {
  assert.deepEqual([17.2, -3.04, Infinity, NaN].map(dB), ['17.2 dB', '−3.04 dB', 'exact', '–']);
  assert.deepEqual([17.24, -3.04, Infinity, NaN].map(bareDB), ['17.2', '−3.0', 'exact', '–']);
  assert.deepEqual([1.26, -1.26, 0.04, -0.04, Infinity, -Infinity, NaN].map(changeDB), [
    ...['+1.3', '−1.3', '±0', '±0', '+∞', '−∞', ''],
  ]);
});

test('shares: next to nothing is not zero', () => {
  assert.deepEqual([84.51, 4.53, 0.02, 0, NaN].map(shareText), ['85 %', '4.5 %', '<0.1 %', '0.0 %', '–']);
});

test('ages in the largest unit that is full', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  const ago = (seconds: number): string => age(new Date(now.getTime() - seconds * 1e3), now);
  assert.deepEqual([2, 59, 60, 7_199, 7_200, 86_400].map(ago), [
    ...['just now', '59 seconds ago', '1 minute ago', '1 hour ago', '2 hours ago', '1 day ago'],
  ]);
  assert.equal(ago(-5), 'just now', 'a clock that went back');
});

test('a long name keeps its beginning and more of its end', () => {
  assert.equal(shorten('/stage2/0/depthwise/Conv', 12), '/sta…se/Conv');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 3, max: 40 }), (name, most) => {
      const short = shorten(name, most);
      assert.ok(Array.from(short).length <= Math.max(most, 0));
      if (Array.from(name).length <= most) assert.equal(short, name);
      else assert.ok(name.startsWith(short.split('…')[0]!));
    }),
  );
});

test('a screen reader hears name, operator, status, errors, verdict and place', () => {
  const layers = layersFrom([
    { name: 'conv', op: 'Conv+Relu', local: 12, accumulated: 11.2, verdict: 'culprit', share: 84.5 },
    { name: 'relu\u202e', op: 'Relu', status: 'float' },
  ]);
  assert.equal(
    announcement(layers, 0),
    'conv, Conv+Relu, int8, SQNR 12.0 dB, accumulated 11.2 dB, culprit, 85 % of the error, 1 of 1 worst',
  );
  assert.equal(announcement(layers, 1), 'relu\\u202e, Relu, float');
});
