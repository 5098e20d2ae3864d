import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { groupsOf, rangedParts, UNLIKE } from './ranged';

const groups = (reach: readonly number[]): number[] | undefined => {
  const found = groupsOf(Float64Array.from(reach));
  return found && [...found];
};

describe('channels of unlike range', () => {
  test('pixels beside scores, in any order; alike they are one', () => {
    assert.deepEqual(groups([640, 600, 90, 120, 1, 1]), [0, 0, 0, 0, 1, 1]);
    assert.deepEqual(groups([1, 640, 600, 90, 120]), [0, 1, 1, 1, 1]);
    assert.deepEqual(groups([640, 480, 1, 300, 200]), [0, 0, 1, 0, 0]);
    assert.equal(groups([3, 5, 12, 2, 30]), undefined);
    assert.equal(groups([0, 0, 0]), undefined);
  });

  test('a channel of zeros tells nothing, and goes with its neighbour', () => {
    assert.deepEqual(groups([0, 640, 0, 1, 0]), [0, 0, 0, 1, 1]);
  });

  test('hardly used channels here and there are no other quantity', () => {
    assert.equal(groups([5, 0.01, 4, 0.02, 6, 0.01]), undefined);
  });

  test('within a group neighbours by size are alike, between groups unlike', () => {
    const reach = fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(reach, (values) => {
        const found = groups(values);
        if (found === undefined) return;
        const sorted = values.map((value, i) => ({ value, group: found[i] })).sort((a, b) => a.value - b.value);
        for (let i = 1; i < sorted.length; i++) {
          const unlike = sorted[i]!.value >= UNLIKE * sorted[i - 1]!.value;
          assert.equal(sorted[i]!.group !== sorted[i - 1]!.group, unlike);
        }
      }),
    );
  });

  test('along whichever axis; fractions count as 1, whatever of it was seen', () => {
    // Two channels of three places: pixels, then scores of which the highest is 0.001.
    const values = Float32Array.of(40, 10, 20, 0.001, 0, 0);
    assert.deepEqual(rangedParts([1, 2, 3], [values]), { axis: 1, groups: Uint16Array.of(0, 1) });
    const turned = Float32Array.of(40, 0.001, 10, 0, 20, 0);
    assert.deepEqual(rangedParts([1, 3, 2], [turned]), { axis: 2, groups: Uint16Array.of(0, 1) });
    const probabilities = Float32Array.of(0.9, 1e-9, 0.1);
    assert.equal(rangedParts([1, 3], [probabilities]), undefined);
    assert.equal(rangedParts([1, 3], [Float32Array.of(NaN, -Infinity, 2)]), undefined);
  });
});
