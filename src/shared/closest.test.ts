import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { closest, didYouMean, editDistance } from './closest';

/** The textbook recursion, exponential but obviously right. */
function slowDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const [x, y] = [a.slice(1), b.slice(1)];
  const best = Math.min(
    slowDistance(x, b) + 1,
    slowDistance(a, y) + 1,
    slowDistance(x, y) + (a.charCodeAt(0) === b.charCodeAt(0) ? 0 : 1),
  );
  const swapped =
    a.length > 1 && b.length > 1 && a.charCodeAt(0) === b.charCodeAt(1) && a.charCodeAt(1) === b.charCodeAt(0);
  return swapped ? Math.min(best, slowDistance(a.slice(2), b.slice(2)) + 1) : best;
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });

describe('edit distance', () => {
  test('agrees with the recursive definition', () => {
    fc.assert(fc.property(word, word, (a, b) => editDistance(a, b) === slowDistance(a, b)));
  });

  test('known distances', () => {
    assert.deepEqual(
      [editDistance('observr', 'observer'), editDistance('modle', 'model'), editDistance('kitten', 'sitting')],
      [1, 1, 3],
    );
  });
});

describe('closest', () => {
  const keys = ['model', 'mode', 'backend', 'calibration', 'shorter-side', 'exact'];

  test('finds a misspelt word, whatever its capitals', () => {
    assert.equal(closest('modle', keys), 'model');
    assert.equal(closest('BACKND', keys), 'backend');
    assert.equal(closest('calibartion', keys), 'calibration');
  });

  test('finds the word that was only begun', () => {
    assert.equal(closest('shorter', keys), 'shorter-side');
    assert.equal(closest('ca', keys), undefined);
  });

  test('suggests nothing far away', () => {
    assert.equal(closest('percentile', keys), undefined);
    assert.equal(didYouMean('zzz', keys), '');
    assert.equal(didYouMean('exakt', keys), ' Did you mean "exact"?');
  });
});
