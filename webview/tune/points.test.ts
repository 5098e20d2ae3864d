import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { TunePoint, Tuning } from '../../src/shared/tuning';
import { COSTS, front, placed, preferred, QUALITIES, type Placed } from './points';

const [TOP1, AGREEMENT, SQNR] = QUALITIES as [(typeof QUALITIES)[0], (typeof QUALITIES)[0], (typeof QUALITIES)[0]];
const [TIME, , MACS] = COSTS as [(typeof COSTS)[0], (typeof COSTS)[0], (typeof COSTS)[0]];

const point = (changes: Partial<TunePoint>): TunePoint => ({
  ...{ changes: [], sqnr: 20, agreement: null, top1: null, bytes: 1000, macs: 100, latencyRatio: 0.5, reached: false },
  ...changes,
});
const tuning = (points: readonly TunePoint[], goal: Tuning['goal'], top1Fp32: number | null = null): Tuning => ({
  ...{ goal, top1Fp32, samples: 10, start: points[0]!, best: points[0]!, points },
  ...{ complete: true, trials: 40, seconds: 1 },
});

const values = fc.array(fc.record({ x: fc.integer({ min: 0, max: 9 }), y: fc.integer({ min: 0, max: 9 }) }), {
  minLength: 1,
  maxLength: 30,
});
const indexed = (list: readonly { readonly x: number; readonly y: number }[]): Placed[] =>
  list.map(({ x, y }, index) => ({ index, x, y }));

describe('the front', () => {
  test('holds exactly one of each pair of values that nothing beats, the cheapest first', () => {
    fc.assert(
      fc.property(values, (list) => {
        const points = indexed(list);
        const beats = (a: Placed, b: Placed): boolean => a.x <= b.x && a.y >= b.y && (a.x < b.x || a.y > b.y);
        const wanted = new Set(points.filter((p) => !points.some((q) => beats(q, p))).map(({ x, y }) => `${x},${y}`));
        const found = front(points, TIME, SQNR);
        assert.deepEqual(new Set(found.map(({ x, y }) => `${x},${y}`)), wanted);
        assert.equal(found.length, wanted.size);
        assert.deepEqual(
          found.map(({ x }) => x),
          found.map(({ x }) => x).toSorted((a, b) => a - b),
        );
      }),
    );
  });

  test('where more is better on both axes, is that of the mirrored axis', () => {
    fc.assert(
      fc.property(values, (list) => {
        const points = indexed(list);
        const mirrored = points.map((p) => ({ ...p, x: -p.x }));
        assert.deepEqual(
          front(points, MACS, SQNR).map(({ index }) => index),
          front(mirrored, TIME, SQNR).map(({ index }) => index),
        );
      }),
    );
  });
});

describe('the axes', () => {
  test('are what the goal is about, if that was measured', () => {
    const classified = [point({ agreement: 98, top1: 60 })];
    assert.equal(preferred(QUALITIES, tuning(classified, { maxDrop: 1 }, 61))?.key, 'top1');
    assert.equal(TOP1.limit({ maxDrop: 1 }, { top1Fp32: 61 }), 60);
    assert.equal(preferred(QUALITIES, tuning([point({ agreement: 98 })], { maxDrop: 1 }))?.key, 'agreement');
    assert.equal(AGREEMENT.limit({ maxDrop: 1 }, { top1Fp32: null }), 99);
    assert.equal(preferred(QUALITIES, tuning(classified, { minSqnr: 20 }, 61))?.key, 'sqnr');
    assert.equal(preferred(COSTS, tuning([point({ latencyRatio: null })], { maxLatencyRatio: 0.5 }))?.key, 'bytes');
  });

  test('leave out what was not measured', () => {
    const points = [point({}), point({ latencyRatio: null }), point({ sqnr: null })];
    assert.deepEqual(
      placed(points, TIME, SQNR).map(({ index }) => index),
      [0],
    );
  });
});
