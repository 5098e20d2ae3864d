import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isNoise } from '../../shared/price';
import { bootstrap, pairedShare, random } from './bootstrap';

/** Share of the drawn worlds whose interval holds the truth. */
function coverage(worlds: number, holds: (next: () => number, world: number) => boolean): number {
  const next = random(7);
  let held = 0;
  for (let world = 0; world < worlds; world++) if (holds(next, world)) held++;
  return held / worlds;
}

const meanOf =
  (values: Float64Array) =>
  (indices: Int32Array): number =>
    indices.reduce((sum, index) => sum + values[index]!, 0) / indices.length;

describe('bootstrap', () => {
  test('the interval of a mean holds the truth about as often as it says, for a skewed distribution too', () => {
    const rate = coverage(300, (next, world) => {
      const values = Float64Array.from({ length: 100 }, () => -Math.log(1 - next()));
      const { low, high } = bootstrap(values.length, meanOf(values), world);
      return low <= 1 && 1 <= high;
    });
    // The percentile bootstrap of a skewed mean is known to fall a little short of 95 %.
    assert.ok(rate > 0.9 && rate <= 0.99, `covered ${rate}`);
  });

  test('low ≤ value ≤ high for means; the same seed gives the same interval; a constant has no width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 20, maxLength: 60 }),
        fc.nat(),
        (list, seed) => {
          const values = Float64Array.from(list);
          const found = bootstrap(values.length, meanOf(values), seed);
          assert.ok(found.low <= found.value + 1e-9 && found.value <= found.high + 1e-9);
          assert.deepEqual(bootstrap(values.length, meanOf(values), seed), found);
          const none = bootstrap(values.length, () => 0, seed);
          assert.deepEqual([none.value, none.low, none.high, isNoise(none)], [0, 0, 0, true]);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('difference of paired shares', () => {
  test('the interval holds the truth at least about as often as it says, also where little changes', () => {
    for (const [gain, loss] of [
      [0.02, 0.01],
      [0.1, 0.05],
      [0.3, 0],
    ] as const) {
      const rate = coverage(1000, (next) => {
        const before = new Uint8Array(100);
        const after = new Uint8Array(100);
        for (let i = 0; i < 100; i++) {
          const drawn = next();
          before[i] = drawn >= gain && drawn < gain + loss ? 1 : 0;
          after[i] = drawn < gain ? 1 : 0;
        }
        const { low, high } = pairedShare(before, after);
        const truth = 100 * (gain - loss);
        return low <= truth && truth <= high;
      });
      assert.ok(rate > 0.92, `${gain}, ${loss}: covered ${rate}`);
    }
  });

  test('nothing changed is noise; everything gained is not', () => {
    const flags = Uint8Array.from({ length: 50 }, (_, i) => i % 2);
    assert.ok(isNoise(pairedShare(flags, flags)));
    assert.ok(!isNoise(pairedShare(new Uint8Array(50), new Uint8Array(50).fill(1))));
  });

  test('the other way round is the negative', () => {
    const bits = fc.array(fc.nat(1), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(bits, bits, (a, b) => {
        const [there, back] = [pairedShare(a, b), pairedShare(b, a)];
        assert.ok(Math.abs(there.value + back.value) < 1e-9 && Math.abs(there.low + back.high) < 1e-9);
      }),
    );
  });
});
