import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { OBSERVERS } from '../../shared/recipe';
import { entropyThreshold } from './entropy';
import { ErrorModel, expectedError } from './errorModel';
import { TensorStats } from './histogram';
import { allRanges, rangeOf } from './observers';
import { paramsOf, type QuantSpec, type Range } from './qparams';
import { quantizeArray } from './quantize';
import { distribution, fixture, INT8, UINT16, UINT8 } from './testData';

interface Case {
  name: string;
  min: number;
  max: number;
  entropy: { affine: number; symmetric: number };
  bestError: { affine: number; symmetric: number };
  'percentile99.003': { affine: [number, number]; symmetric: number };
  'percentile99.907': { affine: [number, number]; symmetric: number };
}
const { cases } = fixture('ranges.json') as { cases: Case[] };

const statsOf = (...batches: readonly Float32Array[]): TensorStats => {
  const stats = new TensorStats();
  batches.forEach((values, index) => stats.observe(values, index));
  return stats;
};

/** The error of really quantizing the values, not of the histogram; codes kept to the part of the type in use. */
function measuredError(values: Float32Array, range: Range, spec: QuantSpec): number {
  const { scale, zeroPoint } = paramsOf(range, spec, 'ort');
  const type = spec.bits === 16 ? 'uint16' : spec.qmin < 0 ? 'int8' : 'uint8';
  const codes = quantizeArray(values, [values.length], null, Float32Array.of(scale), Int32Array.of(zeroPoint), type);
  const code = (i: number): number => Math.min(spec.qmax, Math.max(spec.qmin, codes[i]!));
  return values.reduce((sum, x, i) => sum + (x - scale * (code(i) - zeroPoint)) ** 2, 0) / values.length;
}

/** A slot is 2^-10 of its value wide. */
const close = (found: number, expected: number, where: string, slots = 1): void => {
  assert.ok(
    Math.abs(found - expected) <= (slots * Math.abs(expected)) / 1024 + 1e-12,
    `${where}: ${found}, expected ${expected}`,
  );
};

describe('observers against the data themselves (NumPy)', () => {
  for (const expected of cases) {
    const { name, min, max } = expected;
    const values = distribution(name);
    const stats = statsOf(values);

    test(`${name}: min-max is exact`, () => {
      assert.deepEqual(rangeOf(stats, { observer: 'min-max' }, UINT8), {
        min: Math.min(0, min),
        max: Math.max(0, max),
      });
    });

    test(`${name}: percentiles within a slot`, () => {
      for (const percentile of [99.003, 99.907] as const) {
        const truth = expected[percentile === 99.003 ? 'percentile99.003' : 'percentile99.907'];
        const affine = rangeOf(stats, { observer: 'percentile', percentile }, UINT8);
        close(affine.min, Math.min(0, truth.affine[0]), `${percentile} min`);
        close(affine.max, Math.max(0, truth.affine[1]), `${percentile} max`);
        const symmetric = rangeOf(stats, { observer: 'percentile', percentile }, INT8);
        close(
          Math.max(-symmetric.min, symmetric.max),
          Math.min(truth.symmetric, Math.max(-min, max)),
          `${percentile} symmetric`,
        );
      }
    });

    test(`${name}: the entropy threshold is the one of the search written out`, () => {
      const affine = rangeOf(stats, { observer: 'entropy' }, UINT8);
      const symmetric = rangeOf(stats, { observer: 'entropy' }, INT8);
      assert.equal(affine.max, Math.max(0, Math.min(max, expected.entropy.affine)));
      assert.equal(affine.min, Math.min(0, Math.max(min, -expected.entropy.affine)) + 0);
      assert.equal(Math.max(symmetric.max, -symmetric.min), expected.entropy.symmetric);
    });

    test(`${name}: no range on a dense grid beats mse by more than 5 %`, () => {
      for (const [spec, best] of [
        [UINT8, expected.bestError.affine],
        [INT8, expected.bestError.symmetric],
      ] as const) {
        const found = measuredError(values, rangeOf(stats, { observer: 'mse' }, spec), spec);
        assert.ok(found <= 1.05 * best, `${found}, best ${best}`);
      }
    });

    test(`${name}: the predicted error is the measured one within 0.5 dB`, () => {
      const model = new ErrorModel(stats);
      for (const spec of [UINT8, INT8, { ...UINT8, qmax: 127 }]) {
        for (const [observer, range] of Object.entries(allRanges(stats, spec))) {
          const { rounding, clipping } = model.error(range, spec);
          const difference = 10 * Math.log10((rounding + clipping) / measuredError(values, range, spec));
          assert.ok(Math.abs(difference) < 0.5, `${observer} ${JSON.stringify(spec)}: ${difference} dB`);
        }
      }
      const wide = rangeOf(stats, { observer: 'min-max' }, UINT16);
      const ratio = expectedError(stats, wide, UINT16).rounding / measuredError(values, wide, UINT16);
      assert.ok(Math.abs(10 * Math.log10(ratio)) < 0.5, `16 bits: ${ratio}`);
    });
  }
});

const finite = fc.oneof(
  { weight: 3, arbitrary: fc.float({ noNaN: true, min: -8, max: 8 }) },
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e-40, -1e38, 1e38),
);
const stats = fc
  .array(fc.array(finite, { maxLength: 30 }), { maxLength: 4 })
  .map((rows) => statsOf(...rows.map((row) => Float32Array.from(row))));
const spec = fc.constantFrom<QuantSpec>(UINT8, INT8, UINT16, { ...UINT8, qmax: 127 }, { ...INT8, qmin: -64, qmax: 64 });

describe('observers: properties', () => {
  test('every range contains 0 and lies within what was seen', () => {
    fc.assert(
      fc.property(stats, spec, (seen, s) => {
        for (const [observer, { min, max }] of Object.entries(allRanges(seen, s))) {
          assert.ok(min <= 0 && max >= 0, observer);
          assert.ok(min >= Math.min(0, seen.min) && max <= Math.max(0, seen.max), observer);
          if (seen.absMax > 0) assert.ok(max > min, observer);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a smaller percentile gives a range inside that of a larger one', () => {
    fc.assert(
      fc.property(
        stats,
        spec,
        fc.double({ min: 50.1, max: 100, noNaN: true }),
        fc.double({ min: 50.1, max: 100, noNaN: true }),
        (seen, s, a, b) => {
          const inner = rangeOf(seen, { observer: 'percentile', percentile: Math.min(a, b) }, s);
          const outer = rangeOf(seen, { observer: 'percentile', percentile: Math.max(a, b) }, s);
          const collapsed = inner.max > outer.max || inner.min < outer.min;
          // Only a range that would have been [0, 0] is widened, to min-max.
          if (collapsed) assert.deepEqual(inner, rangeOf(seen, { observer: 'min-max' }, s));
          else assert.ok(inner.min >= outer.min && inner.max <= outer.max);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('mse is never worse than min-max by its own figure', () => {
    fc.assert(
      fc.property(stats, spec, (seen, s) => {
        const [mse, minMax] = (['mse', 'min-max'] as const).map((observer) => {
          const { rounding, clipping } = expectedError(seen, rangeOf(seen, { observer }, s), s);
          return rounding + clipping;
        });
        assert.ok(mse! <= minMax!, `${mse} against ${minMax}`);
      }),
      { numRuns: 60 },
    );
  });
});

describe('observers: cases', () => {
  const everywhere = (seen: TensorStats, expected: Range): void => {
    for (const [observer, range] of Object.entries(allRanges(seen, UINT8))) assert.deepEqual(range, expected, observer);
  };

  test('nothing seen, only zeros, only NaN', () => {
    everywhere(new TensorStats(), { min: 0, max: 0 });
    everywhere(statsOf(new Float32Array(50), Float32Array.of(-0)), { min: 0, max: 0 });
    everywhere(statsOf(Float32Array.of(NaN, Infinity)), { min: 0, max: 0 });
    assert.deepEqual(expectedError(new TensorStats(), { min: 0, max: 1 }, UINT8), { rounding: 0, clipping: 0 });
  });

  test('one value, everywhere the same value', () => {
    for (const value of [5, 1e38, 1e-30]) {
      const x = Math.fround(value);
      everywhere(statsOf(Float32Array.of(x)), { min: 0, max: x });
      everywhere(statsOf(new Float32Array(1000).fill(-x)), { min: -x, max: 0 });
    }
  });

  test('a percentile that would cut everything away keeps the range', () => {
    const values = new Float32Array(1000);
    values[3] = 2;
    assert.deepEqual(rangeOf(statsOf(values), { observer: 'percentile', percentile: 99 }, UINT8), { min: 0, max: 2 });
  });

  test('one-sided values lose the whole tail at the far end, and zero stays', () => {
    const range = rangeOf(statsOf(distribution('relu')), { observer: 'percentile', percentile: 99 }, UINT8);
    assert.equal(range.min, 0);
    const mirrored = rangeOf(
      statsOf(distribution('relu').map((x) => -x)),
      { observer: 'percentile', percentile: 99 },
      UINT8,
    );
    assert.deepEqual(mirrored, { min: -range.max, max: 0 });
  });

  test('entropy and mse cut heavy tails that min-max keeps; a few far values are worth keeping to mse', () => {
    const width = (name: string, observer: 'min-max' | 'entropy' | 'mse'): number => {
      const { min, max } = rangeOf(statsOf(distribution(name)), { observer }, UINT8);
      return max - min;
    };
    assert.ok(width('heavy', 'mse') < width('heavy', 'min-max'));
    assert.ok(width('heavy', 'entropy') < 0.5 * width('heavy', 'min-max'));
    assert.ok(width('outliers', 'entropy') < 0.5 * width('outliers', 'mse'));
  });

  test('with as many levels as bins there is nothing to gain for entropy', () => {
    const seen = statsOf(distribution('outliers'));
    assert.equal(entropyThreshold(seen, 65536), seen.absMax);
  });

  test('every observer has a range', () => {
    assert.deepEqual(Object.keys(allRanges(statsOf(distribution('heavy')), INT8)), [...OBSERVERS]);
  });
});
