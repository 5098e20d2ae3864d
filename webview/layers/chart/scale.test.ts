import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { layersFrom } from '../../fixtures/layers';
import { fitView, LEAST_IN_VIEW, layersIn, panView, rangeDB, revealIn, scaleDB, wholeView, zoomView } from './scale';

const counts = fc.integer({ min: 1, max: 6_000 });
const ends = fc.double({ min: -2, max: 2, noNaN: true });
/** A view of some of the layers, or of all. */
const views = counts.chain((count) =>
  fc.tuple(fc.constant(count), ends, ends).map(([n, a, b]) => {
    const view = fitView([Math.min(a, b) * n, Math.max(a, b) * n], n);
    return { count: n, view: view ?? wholeView(n) };
  }),
);
const CLOSE = 1e-6;

describe('a view', () => {
  test('shows layers only, and no fewer than can be told apart', () => {
    fc.assert(
      fc.property(views, ({ count, view: [from, to] }) => {
        const [first, last] = wholeView(count);
        assert.ok(from >= first - CLOSE && to <= last + CLOSE);
        assert.ok(to - from >= Math.min(LEAST_IN_VIEW, count) - CLOSE);
      }),
    );
  });

  test('zoomed keeps the place that is pointed at, as far as it is not at an edge', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 5_000 }), fc.double({ min: 1.1, max: 4, noNaN: true }), (count, by) => {
        const around = count / 2;
        const [from, to] = zoomView(wholeView(count), by, around, count)!;
        const [first, last] = wholeView(count);
        assert.ok(Math.abs((around - from) / (to - from) - (around - first) / (last - first)) < CLOSE);
        assert.ok(Math.abs((to - from) * by - count) < CLOSE);
      }),
    );
  });

  test('zoomed in and out again is the one before', () => {
    const view = zoomView([100, 300], 2, 200, 1_000)!;
    assert.deepEqual(zoomView(view, 0.5, 200, 1_000), [100, 300]);
    assert.equal(zoomView([1, 999], 0.5, 500, 1_000), null, 'all of it has no view of its own');
  });

  test('moved keeps its width', () => {
    fc.assert(
      fc.property(views, fc.double({ min: -3, max: 3, noNaN: true }), ({ count, view }, by) => {
        const moved = panView(view, by, count) ?? wholeView(count);
        assert.ok(Math.abs(moved[1] - moved[0] - (view[1] - view[0])) < CLOSE * count);
      }),
    );
  });

  test('that reveals a layer holds it, and stays where the layer was inside already', () => {
    fc.assert(
      fc.property(views, fc.nat(), ({ count, view }, number) => {
        const layer = number % count;
        const [from, to] = revealIn(view, layer, count) ?? wholeView(count);
        assert.ok(from - CLOSE <= layer && layer <= to + CLOSE, `${layer} in ${from} … ${to}`);
      }),
    );
    assert.deepEqual(revealIn([10, 50], 30, 100), [10, 50]);
  });

  test('touches the layers inside and one more to each side', () => {
    assert.deepEqual(layersIn([9.5, 19.5], 100), [8, 21]);
    assert.deepEqual(layersIn(wholeView(5), 5), [0, 4]);
  });
});

describe('decibels', () => {
  test('have an axis in steps that holds all of both runs', () => {
    const layers = layersFrom([
      { local: 12, accumulated: 71, base: { local: -3, accumulated: 5 } },
      { local: 'exact', accumulated: 20, base: {} },
    ]);
    assert.deepEqual(rangeDB(layers), { low: -10, high: 80, exact: true });
    assert.deepEqual(rangeDB(layersFrom([{ local: 30 }])), { low: 0, high: 40, exact: false });
  });

  test('stand the higher the better, and without error above all', () => {
    const y = scaleDB({ low: 0, high: 40, exact: true }, { top: 10, bottom: 200 });
    assert.equal(y(0), 200);
    assert.ok(y(Infinity) < y(40) && y(40) < y(39));
    assert.ok(y(Infinity) >= 10);
  });
});
