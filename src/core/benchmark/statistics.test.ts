import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { median, quantile, summarize } from './statistics';

const times = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 30 });

describe('quantiles', () => {
  // numpy.percentile([1, 2, 4, 8, 16], [0, 5, 50, 95, 100])
  test("agree with NumPy's default", () => {
    const values = [1, 2, 4, 8, 16];
    assert.deepEqual(
      [0, 0.05, 0.5, 0.95, 1].map((q) => Number(quantile(values, q).toFixed(9))),
      [1, 1.2, 4, 14.4, 16],
    );
  });

  test('the median has as many values below as above', () => {
    fc.assert(
      fc.property(times, (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        assert.ok(below <= values.length / 2 && above <= values.length / 2);
      }),
    );
  });

  test('a summary does not depend on the order, and does not change it', () => {
    fc.assert(
      fc.property(times, (values) => {
        const before = [...values];
        const { mean, ...rest } = summarize(values);
        const { mean: turned, ...others } = summarize(values.toReversed());
        assert.deepEqual(values, before);
        assert.deepEqual(rest, others);
        assert.ok(Math.abs(mean - turned) < 1e-9);
        assert.ok(rest.min <= rest.median && rest.median <= rest.p95);
      }),
    );
  });
});
