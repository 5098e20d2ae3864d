import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TensorStats } from './histogram';
import { SimdKernel } from './simd';
import { distribution, fixture } from './testData';

const FLOAT_MAX = 3.4028234663852886e38;
const finite = fc.oneof(
  { weight: 4, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 4, arbitrary: fc.float({ noNaN: true, min: -8, max: 8 }) },
  fc.constantFrom(0, -0, 1e-40, -1e-40, FLOAT_MAX, -FLOAT_MAX, 1),
);
const anything = fc.oneof({ weight: 9, arbitrary: finite }, fc.constantFrom(NaN, Infinity, -Infinity));
const batch = fc.array(anything, { maxLength: 23 }).map((values) => Float32Array.from(values));
const batches = fc.array(batch, { maxLength: 6 });

const observed = (list: readonly Float32Array[], first = 0): TensorStats => {
  const stats = new TensorStats();
  list.forEach((values, index) => stats.observe(values, first + index));
  return stats;
};
const merged = (...parts: readonly TensorStats[]): TensorStats => {
  const stats = new TensorStats();
  for (const part of parts) stats.merge(part);
  return stats;
};
/** Everything that does not depend on the order. */
const facts = (stats: TensorStats): object => {
  const { positive, negative } = stats.bins();
  const { count, nonFinite, samples, min, max, minSample, maxSample, sum, sumSquares } = stats;
  const counts = [Array.from(positive.filter((c) => c > 0)), Array.from(negative?.filter((c) => c > 0) ?? [])];
  const slots = [positive.findIndex((c) => c > 0), positive.findLastIndex((c) => c > 0)];
  return { count, nonFinite, samples, min, max, minSample, maxSample, sum, sumSquares, counts, slots };
};

describe('histogram: properties', () => {
  test('merging in any grouping and order equals observing everything', () => {
    fc.assert(
      fc.property(batches, batches, batches, (a, b, c) => {
        const whole = observed([...a, ...b, ...c]);
        const parts = [observed(a), observed(b, a.length), observed(c, a.length + b.length)] as const;
        const left = merged(merged(parts[0], parts[1]), parts[2]);
        const right = merged(parts[0], merged(parts[1], parts[2]));
        assert.deepEqual(facts(left), facts(whole));
        assert.deepEqual(facts(right), facts(whole));
        assert.deepEqual(facts(merged(parts[2], parts[0], parts[1])), facts(whole));
      }),
      { numRuns: 40 },
    );
  });

  test('the order of samples changes nothing but the moving average', () => {
    fc.assert(
      fc.property(batches, (list) => {
        const backwards = new TensorStats();
        [...list.entries()].reverse().forEach(([index, values]) => backwards.observe(values, index));
        assert.deepEqual(facts(backwards), facts(observed(list)));
      }),
    );
  });

  test('every value is counted once, extremes are exact, the first sample that holds them is kept', () => {
    fc.assert(
      fc.property(batches, (list) => {
        const stats = observed(list);
        const values = list.flatMap((part) => Array.from(part)).filter(Number.isFinite);
        const { positive, negative } = stats.bins();
        const total = [...positive, ...(negative ?? [])].reduce((sum, count) => sum + count, 0);
        assert.equal(stats.count, values.length);
        assert.equal(total, values.length);
        assert.equal(stats.nonFinite, list.reduce((sum, part) => sum + part.length, 0) - values.length);
        const [min, max] = [
          values.reduce((a, b) => (b < a ? b : a), Infinity),
          values.reduce((a, b) => (b > a ? b : a), -Infinity),
        ];
        assert.ok(stats.min === min && stats.max === max, `${stats.min} ${stats.max}, expected ${min} ${max}`);
        const first = (value: number): number =>
          values.length === 0 ? -1 : list.findIndex((part) => part.includes(value));
        assert.deepEqual([stats.minSample, stats.maxSample], [first(min), first(max)]);
      }),
    );
  });

  test('a value lies between the edges of its slot, and a slot above the lowest is narrower than 2^-10 of it', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 9 }), (list) => {
        const values = Float32Array.from(list);
        const stats = observed([values]);
        const { edges } = stats.bins();
        for (const value of values) {
          const slot = stats.slotOf(Math.abs(value));
          const [low, high] = [edges[slot]!, edges[slot + 1]!];
          assert.ok(low <= Math.abs(value) && Math.abs(value) < high);
          if (slot > 0) assert.ok(high - low <= low / 1024);
          else assert.ok(high <= stats.absMax * 2 ** -14.99 || stats.absMax < 2 ** -109);
        }
      }),
    );
  });

  test('bytes read back to the same statistics', () => {
    fc.assert(
      fc.property(batches, (list) => {
        const stats = observed(list);
        const copy = TensorStats.fromBytes(stats.toBytes());
        assert.deepEqual(facts(copy), facts(stats));
        assert.deepEqual([copy.movingMin, copy.movingMax], [stats.movingMin, stats.movingMax]);
        const more = Float32Array.of(-5, 3e5);
        copy.observe(more, 9);
        stats.observe(more, 9);
        assert.deepEqual(facts(copy), facts(stats));
      }),
    );
  });
});

describe('histogram: cases', () => {
  test('sums, extremes and zeros of known data', () => {
    const { cases } = fixture('ranges.json') as {
      cases: {
        name: string;
        count: number;
        min: number;
        max: number;
        sum: number;
        sumSquares: number;
        zeros: number;
      }[];
    };
    for (const expected of cases) {
      const stats = observed([distribution(expected.name)]);
      assert.deepEqual(
        [stats.count, stats.min, stats.max],
        [expected.count, expected.min, expected.max],
        expected.name,
      );
      const magnitude = Math.sqrt(expected.count * expected.sumSquares);
      assert.ok(Math.abs(stats.sum - expected.sum) < magnitude / 2048, expected.name);
      assert.ok(Math.abs(stats.sumSquares / expected.sumSquares - 1) < 1 / 2048, expected.name);
      const floor = 2 ** (Math.floor(Math.log2(stats.absMax)) - 15) * (1 + 1 / 1024);
      assert.equal(
        stats.nearZero,
        distribution(expected.name).filter((x) => Math.abs(x) < floor).length,
        expected.name,
      );
      assert.ok(stats.nearZero >= expected.zeros);
    }
  });

  test('the moving average is torch’s, bit for bit, and merging continues it', () => {
    const { batches: rows, moving } = fixture('torch.json') as { batches: number[][]; moving: [number, number][] };
    const list = rows.map((row) => Float32Array.from(row));
    const stats = new TensorStats();
    list.forEach((values, index) => {
      stats.observe(values, index);
      assert.deepEqual([stats.movingMin, stats.movingMax], moving[index]);
    });
    const joined = merged(observed(list.slice(0, 11)), observed(list.slice(11), 11));
    assert.ok(
      Math.abs(joined.movingMin - stats.movingMin) < 1e-5 && Math.abs(joined.movingMax - stats.movingMax) < 1e-5,
    );
  });

  test('the moving average stays within what was seen, also where a difference overflows float32', () => {
    fc.assert(
      fc.property(batches, fc.nat({ max: 6 }), (list, at) => {
        for (const stats of [observed(list), merged(observed(list.slice(0, at)), observed(list.slice(at), at))]) {
          if (stats.samples === 0) continue;
          assert.ok(
            stats.movingMin >= stats.min && stats.movingMax <= stats.max,
            `${stats.movingMin}, ${stats.movingMax}`,
          );
        }
      }),
    );
    const stats = observed([3e38, -3e38, 0].map((x) => Float32Array.of(x)));
    // (3 - 0.01 · 6) · 0.99
    assert.ok(Math.abs(stats.movingMax / 2.9106e38 - 1) < 1e-6, `${stats.movingMax}`);
    // Close together, so that rounding takes more off than the averaging does.
    const near = [1 + 60 * 2 ** -23, 1, 1, 1, 1].map((x) => Float32Array.of(x));
    assert.equal(merged(observed([Float32Array.of(1)]), observed(near, 1)).movingMin, 1);
  });

  test('no values, only NaN, a view into a larger buffer', () => {
    const stats = observed([new Float32Array(0), Float32Array.of(NaN, Infinity)]);
    assert.deepEqual([stats.count, stats.nonFinite, stats.samples, stats.absMax, stats.sum], [0, 2, 0, 0, 0]);
    assert.deepEqual([stats.minSample, stats.min], [-1, Infinity]);
    stats.observe(Float32Array.of(9, 1, 2, 9).subarray(1, 3), 4);
    assert.deepEqual([stats.min, stats.max, stats.minSample], [1, 2, 4]);
  });

  test('counts beyond 32 bits do not wrap', () => {
    const stats = observed([Float32Array.of(1, -2)]);
    for (let doubling = 0; doubling < 33; doubling++) stats.merge(TensorStats.fromBytes(stats.toBytes()));
    stats.observe(Float32Array.of(1), 0);
    const { positive } = stats.bins();
    assert.equal(positive[stats.slotOf(1)], 2 ** 33 + 1);
    assert.equal(TensorStats.fromBytes(stats.toBytes()).bins().positive[stats.slotOf(1)], 2 ** 33 + 1);
  });

  test('long arrays, which go through vector instructions, give what short ones give', () => {
    assert.ok(SimdKernel.create(), 'this machine has vector instructions');
    const plainly = (values: Float32Array): TensorStats => {
      const parts: Float32Array[] = [];
      for (let start = 0; start < values.length; start += 1000) parts.push(values.subarray(start, start + 1000));
      return observed(parts);
    };
    /** Without what depends on how the values were cut into samples. */
    const content = (stats: TensorStats): object => ({ ...facts(stats), samples: 0, minSample: 0, maxSample: 0 });
    const base = distribution('relu', 40_003);
    const variants: Record<string, (x: number, index: number) => number> = {
      'one sign': (x) => x,
      'negatives late': (x, index) => (index === 30_001 ? -3 : x),
      'negatives only': (x) => -x,
      'growing window': (x, index) => x * 1.001 ** index,
      'minus zero': (x, index) => (x === 0 && index % 2 ? -0 : x - (index % 5 === 0 ? 1e-12 : 0)),
      'not finite': (x, index) => (index % 20_000 === 17 ? NaN : index === 35_000 ? -Infinity : x),
      'only NaN': () => NaN,
      tiny: (x) => x * 1e-41,
      huge: (x, index) => (index % 2 ? 1 : -1) * x * 8e37,
      constant: () => 6,
    };
    for (const [name, change] of Object.entries(variants)) {
      const values = base.map(change);
      for (const length of [8192, 16385, 40_003]) {
        const part = values.subarray(3, 3 + length);
        assert.deepEqual(content(observed([part])), content(plainly(part)), `${name} ${length}`);
      }
    }
  });

  test('damaged bytes are refused', () => {
    const bytes = observed([distribution('gaussian', 50)]).toBytes();
    for (const damaged of [bytes.subarray(0, 40), bytes.subarray(0, bytes.length - 1), new Uint8Array(200).fill(255)]) {
      assert.throws(() => TensorStats.fromBytes(damaged), { code: 'data-invalid' });
    }
  });
});
