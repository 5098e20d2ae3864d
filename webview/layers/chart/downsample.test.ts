import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { linePoints, lowestPerColumn, PointSet } from './downsample';

const values = fc
  .array(fc.oneof(fc.double({ min: -20, max: 80, noNaN: true }), fc.constant(NaN)), { minLength: 1, maxLength: 400 })
  .map((list) => Float64Array.from(list));
const identity = (value: number): number => value;

/** What a line covers of each pixel column: lowest and highest value. */
function columns(points: readonly number[]): Map<number, readonly [number, number]> {
  const covered = new Map<number, readonly [number, number]>();
  for (let i = 0; i < points.length; i += 2) {
    const [column, y] = [Math.round(points[i]!), points[i + 1]!];
    const [low, high] = covered.get(column) ?? [Infinity, -Infinity];
    covered.set(column, [Math.min(low, y), Math.max(high, y)]);
  }
  return covered;
}

describe('a line with fewer points', () => {
  test('covers the same pixels in every column, from left to right', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 3, noNaN: true }), (list, spacing) => {
        const x = (layer: number): number => layer * spacing;
        const points = linePoints(list, 0, list.length - 1, x, identity);
        const all = Array.from(list).flatMap((value, layer) => (Number.isNaN(value) ? [] : [x(layer), value]));
        assert.deepEqual(columns(points), columns(all));
        for (let i = 2; i < points.length; i += 2) assert.ok(points[i]! >= points[i - 2]!);
      }),
    );
  });

  test('has no more than four of a column', () => {
    const list = Float64Array.from({ length: 5_000 }, (_, i) => Math.sin(i));
    assert.ok(linePoints(list, 0, 4_999, (layer) => layer / 50, identity).length / 2 <= 4 * 101);
  });
});

test('of points on one pixel only the first is kept', () => {
  const set = new PointSet();
  for (const [x, y] of [
    [1.2, 5.1],
    [0.9, 4.8],
    [2, 5],
    [1, 6],
  ] as const) {
    set.add(x, y);
  }
  assert.deepEqual(set.points, [1.2, 5.1, 2, 5, 1, 6]);
});

test('the strip below shows the lowest of each column', () => {
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 60 }), (list, wanted) => {
      const count = Math.min(wanted, list.length);
      const lowest = lowestPerColumn(list, count);
      const least = (all: Iterable<number>): number => Math.min(...[...all].filter((value) => !Number.isNaN(value)));
      assert.equal(least(lowest), least(list));
      assert.equal(lowest.length, count);
    }),
  );
  assert.deepEqual([...lowestPerColumn(Float64Array.of(3, 1, NaN, NaN), 2)], [1, NaN]);
});
