import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAGE_ROWS } from '../../src/shared/viewFacts';
import { layersFrom, pagesOf } from '../fixtures/layers';
import { isProblem, layersOf, ratioOf, sortedByBlame, sortedByError } from './layers';

test('pages become one, each layer where it is in the graph', () => {
  const count = 2 * PAGE_ROWS + 17;
  const pages = pagesOf(Array.from({ length: count }, (_, i) => ({ local: i, verdict: 'victim' as const, share: i })));
  assert.equal(pages.length, 3);
  const layers = layersOf(pages);
  assert.equal(layers.count, count);
  assert.equal(layers.name[PAGE_ROWS], `layer${PAGE_ROWS}`);
  assert.equal(layers.local[count - 1], count - 1);
  assert.equal(layers.blame?.share[PAGE_ROWS + 3], PAGE_ROWS + 3);
});

test('what was not measured and what has no error are told apart', () => {
  const { local } = layersFrom([{ local: null }, { local: 'exact' }, { local: 0 }]);
  assert.ok(Number.isNaN(local[0]));
  assert.equal(local[1], Infinity);
  assert.equal(local[2], 0);
});

test('the rank counts layers with an error of their own, the worst is 0', () => {
  const layers = layersFrom([{ local: 30 }, { local: null }, { local: 'exact' }, { local: 10 }]);
  assert.deepEqual([...layers.rank], [1, -1, 2, 0]);
  assert.equal(layers.ranked, 3);
  assert.deepEqual(sortedByError(layers.local), [3, 0, 2]);
});

test('a layer is a problem by its own error alone', () => {
  const layers = layersFrom([{ local: 19.9 }, { local: 40, accumulated: 5 }, { local: null, accumulated: 5 }]);
  assert.deepEqual(
    [0, 1, 2].map((layer) => isProblem(layers, layer, 20)),
    [true, false, false],
  );
});

test('blame comes by verdict, then by share; layers without one are left out', () => {
  const { blame } = layersFrom([
    { verdict: 'harmless', share: 9 },
    { verdict: 'culprit', share: 20 },
    { verdict: null },
    { verdict: 'culprit', share: 60 },
    { verdict: 'victim', share: 1 },
  ]);
  assert.deepEqual(sortedByBlame(blame!), [3, 1, 4, 0]);
});

test('a speed needs both times', () => {
  const layers = layersFrom([{ fp32: 10, int8: 5 }, { fp32: 10 }, { fp32: 10, int8: 0 }]);
  assert.equal(ratioOf(layers, 0), 2);
  assert.ok(Number.isNaN(ratioOf(layers, 1)) && Number.isNaN(ratioOf(layers, 2)));
});
