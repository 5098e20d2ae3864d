import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Report } from '../../shared/report';
import { samplesWithin } from './prices';

const latencyOf = (fp32: number, int8: number): NonNullable<Report['latency']> => ({
  ...{ fp32, int8, ratio: fp32 / int8, runs: 9, threads: 1 },
});

test('a quick model is judged by as many samples as ever, a slow one by fewer, and none by next to none', () => {
  assert.equal(samplesWithin(180, latencyOf(1, 1), 12), 100);
  // 300 ms of fp32 and thirteen times 200 ms of int8: 2.9 s a sample.
  assert.equal(samplesWithin(180, latencyOf(300, 200), 12), 62);
  assert.equal(samplesWithin(180, latencyOf(9_000, 9_000), 12), 16);
});

test('a model that was too slow to be timed is judged by the fewest, one of an unbounded time by all', () => {
  assert.equal(samplesWithin(180, null, 12), 16);
  assert.equal(samplesWithin(Infinity, null, 12), 100);
  assert.equal(samplesWithin(180, undefined, 12), 100);
});

test('less time and more fixes never mean more samples', () => {
  const positive = fc.double({ min: 0.01, max: 1e4, noNaN: true });
  fc.assert(
    fc.property(positive, positive, positive, fc.nat(30), (seconds, fp32, int8, fixes) => {
      const samples = samplesWithin(seconds, latencyOf(fp32, int8), fixes);
      assert.ok(samplesWithin(seconds / 2, latencyOf(fp32, int8), fixes) <= samples);
      assert.ok(samplesWithin(seconds, latencyOf(fp32, int8), fixes + 1) <= samples);
    }),
  );
});
