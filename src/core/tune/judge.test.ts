import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { TuneGoal, TunePoint } from '../../shared/tuning';
import { dropOf, isBetter, lacksOf, missing } from './judge';

const point = (changes: Partial<TunePoint> = {}): TunePoint => ({
  ...{ changes: [], sqnr: 20, agreement: 97, top1: 60, bytes: 1, macs: 100, latencyRatio: 0.7, reached: false },
  ...changes,
});

describe('how far a recipe is from its goal', () => {
  const FP32 = 62;
  const holds = (goal: TuneGoal, changes: Partial<TunePoint> = {}, fp32: number | null = FP32): boolean =>
    missing(point(changes), goal, fp32) === 0;

  test('top-1 counts where there are labels, else agreement; without either nothing is known', () => {
    assert.equal(dropOf(point(), FP32), 2);
    assert.equal(dropOf(point({ top1: null }), null), 3);
    assert.equal(dropOf(point({ top1: null, agreement: null }), null), null);
    assert.deepEqual([holds({ maxDrop: 2 }), holds({ maxDrop: 1.9 })], [true, false]);
    assert.equal(holds({ maxDrop: 50 }, { top1: null, agreement: null }, null), false);
  });

  test('at the limit it holds; without any error the SQNR does, and a latency that was not measured does not', () => {
    assert.deepEqual([holds({ minSqnr: 20 }), holds({ minSqnr: 20.1 })], [true, false]);
    assert.ok(holds({ minSqnr: 200 }, { sqnr: null }));
    assert.deepEqual([holds({ maxLatencyRatio: 0.7 }), holds({ maxLatencyRatio: 0.6 })], [true, false]);
    assert.equal(holds({ maxLatencyRatio: 9 }, { latencyRatio: null }), false);
  });

  test('every part has to hold, and those that do not are told apart', () => {
    const goal = { maxDrop: 1, minSqnr: 10, maxLatencyRatio: 0.9 };
    assert.deepEqual(lacksOf(point(), goal, FP32), { error: true, time: false });
    assert.deepEqual(lacksOf(point({ top1: 62, latencyRatio: 1 }), goal, FP32), { error: false, time: true });
    assert.deepEqual(lacksOf(point({ top1: 62 }), goal, FP32), { error: false, time: false });
  });
});

test('the better recipe is nearer to the goal, then has more in int8, then changes less, then errs less', () => {
  const goal = { minSqnr: 25 };
  const better = (a: Partial<TunePoint>, b: Partial<TunePoint>): boolean => isBetter(point(a), point(b), goal, null);
  const change = { change: { kind: 'equalize', enabled: true }, because: '' } as const;
  assert.ok(better({ sqnr: 24, macs: 10 }, { sqnr: 20 }));
  assert.ok(better({ sqnr: 26 }, { sqnr: 40, macs: 90 }));
  assert.ok(better({ sqnr: 26 }, { sqnr: 40, changes: [change] }));
  assert.ok(better({ sqnr: null }, { sqnr: 40 }));
  const some = fc.record({ sqnr: fc.integer({ min: 0, max: 50 }), macs: fc.integer({ min: 0, max: 100 }) });
  fc.assert(fc.property(some, some, (a, b) => !(better(a, b) && better(b, a)) && !better(a, a)));
});
