import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scopeLevels } from './scopes';

test('neighbours of one scope share a bracket, from the outermost level inwards', () => {
  assert.deepEqual(scopeLevels(['a/x', 'a/x', 'a/y', 'b']), [
    [
      { label: 'a', first: 0, last: 2 },
      { label: 'b', first: 3, last: 3 },
    ],
    [
      { label: 'x', first: 0, last: 1 },
      { label: 'y', first: 2, last: 2 },
    ],
  ]);
});

test('what all layers have in common is left out, as is a level of single layers', () => {
  assert.deepEqual(
    scopeLevels(['net/a', 'net/a', 'net/b']).map((runs) => runs.map(({ label }) => label)),
    [['a', 'b']],
  );
  assert.deepEqual(scopeLevels(['a', 'b', 'c']), []);
  assert.deepEqual(scopeLevels(['', '']), []);
});

test('the same name in two places is two brackets, and brackets never overlap', () => {
  const scopes = fc.array(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }).map((parts) => parts.join('/')));
  fc.assert(
    fc.property(scopes, (list) => {
      for (const runs of scopeLevels(list)) {
        runs.forEach(({ first, last }, i) => {
          assert.ok(first <= last && last < list.length);
          if (i > 0) assert.ok(runs[i - 1]!.last < first);
        });
      }
    }),
  );
  const [level] = scopeLevels(['a', 'a', 'b', 'a', 'a']);
  assert.equal(level?.length, 3);
});
