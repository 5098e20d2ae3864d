import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { comparedOf, type ErrorMeasure } from '../../shared/measured';
import { assertComparable, ErrorAccumulator, SQNR_FLOOR } from './errors';
import { dequantize, vectorSums, type Quantized } from './sums';

interface Sample {
  readonly id: string;
  readonly x: Float32Array;
  readonly y: Float32Array | Quantized;
}

function measure(samples: readonly Sample[]): ErrorMeasure {
  const accumulator = new ErrorAccumulator();
  for (const { id, x, y } of samples) accumulator.add(id, x, y);
  const result = comparedOf(accumulator.result());
  assert.ok(result);
  return result;
}

const f32 = (...values: number[]): Float32Array => Float32Array.from(values);

/** The definitions, written out. */
function definition(x: Float32Array, y: Float32Array): { sqnr: number | null; cosine: number } {
  const sum = (f: (i: number) => number): number => Array.from(x, (_, i) => f(i)).reduce((a, b) => a + b, 0);
  const noise = sum((i) => (x[i]! - y[i]!) ** 2);
  const signal = sum((i) => x[i]! ** 2);
  return {
    sqnr: noise === 0 ? null : 10 * Math.log10(signal / noise),
    cosine: sum((i) => x[i]! * y[i]!) / Math.sqrt(signal * sum((i) => y[i]! ** 2)),
  };
}

const values = fc.float32Array({
  noNaN: true,
  noDefaultInfinity: true,
  min: -100,
  max: 100,
  minLength: 1,
  maxLength: 50,
});
const bytes: fc.Arbitrary<Quantized> = fc.record({
  data: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 50 }),
    fc.int8Array({ minLength: 1, maxLength: 50 }),
    fc.uint16Array({ minLength: 1, maxLength: 50 }),
  ),
  scale: fc.float({ min: Math.fround(1e-3), max: 10, noNaN: true }),
  zeroPoint: fc.integer({ min: -128, max: 255 }),
});
/** Samples with names of their own and errors of their own. */
const samples = fc
  .array(fc.tuple(values, fc.float({ min: Math.fround(0.001), max: 1, noNaN: true })), { minLength: 1, maxLength: 6 })
  .map((list) => list.map(([x, e], i): Sample => ({ id: `s${i}`, x, y: x.map((v, k) => v + (k % 2 === 0 ? e : -e)) })));

/** What lies `e` from values near `x`. */
function near(id: string, x: number, e: number): Sample {
  const values = f32(x, -2 * x, 3 * x);
  return { id, x: values, y: values.map((value, k) => value + (k % 2 === 0 ? e : -e)) };
}

const close = (a: number | null, b: number | null, tolerance = 1e-6): boolean =>
  a === null || b === null ? a === b : Math.abs(a - b) <= tolerance;

describe('ErrorAccumulator', () => {
  test('equals the definitions of SQNR and cosine', () => {
    const result = measure([{ id: 'a', x: f32(3, -4, 0), y: f32(3, -3, 0) }]);
    assert.ok(close(result.sqnr, 10 * Math.log10(25), 1e-12));
    assert.ok(close(result.cosine, 21 / Math.sqrt(25 * 18), 1e-12));
  });

  test('integers are compared as what they stand for, in all types and lengths', () => {
    fc.assert(
      fc.property(bytes, fc.infiniteStream(fc.float({ min: -50, max: 50, noNaN: true })), (y, stream) => {
        const x = Float32Array.from(stream.take(y.data.length), (v) => Math.round(v * 1000) / 1000);
        const wanted = definition(x, dequantize(y));
        const got = measure([{ id: 'a', x, y }]);
        if (wanted.sqnr === -Infinity) return got.sqnr === SQNR_FLOOR;
        const defined = Number.isFinite(wanted.cosine);
        return close(got.sqnr, wanted.sqnr, 1e-6) && (!defined || close(got.cosine, wanted.cosine, 1e-6));
      }),
    );
  });

  test('tensors longer than one pass of the vector loop, floats and bytes, whole and with a rest', () => {
    assert.ok(vectorSums, 'this machine has vector instructions');
    for (const length of [16384, 16387, 2 * 16384 + 1, 50_000]) {
      const x = Float32Array.from({ length }, (_, i) => 3 * Math.sin(i) * (i > 16384 ? 5 : 1));
      const scale = Math.fround(0.13);
      const quantized = (lowest: number): number[] =>
        Array.from(x, (value) => Math.min(lowest + 255, Math.max(lowest, Math.round(value / scale) + lowest + 100)));
      for (const y of [
        x.map((value, i) => value + 0.01 * Math.cos(i * i)),
        { data: Uint8Array.from(quantized(0)), scale, zeroPoint: 100 },
        { data: Int8Array.from(quantized(-128)), scale, zeroPoint: -28 },
      ]) {
        const wanted = definition(x, y instanceof Float32Array ? y : dequantize(y));
        const got = measure([{ id: 'a', x, y }]);
        assert.ok(close(got.sqnr, wanted.sqnr, 1e-9), `${got.sqnr} dB and ${wanted.sqnr} dB`);
        assert.ok(close(got.cosine, wanted.cosine, 1e-9));
      }
    }
  });

  test('the order of the samples does not matter', () => {
    fc.assert(
      fc.property(samples, (list) => {
        const [a, b] = [measure(list), measure([...list].reverse())];
        // The cosine loses digits where y is larger than x by many orders of magnitude, as its formula says.
        const norm = (of: (sample: Sample) => Float32Array): number =>
          Math.hypot(...list.flatMap((sample) => [...of(sample)]));
        const larger = norm(({ y }) => (y instanceof Float32Array ? y : dequantize(y))) / norm(({ x }) => x);
        const digits = 1e-6 + 1e-13 * larger;
        return close(a.sqnr, b.sqnr) && close(a.cosine, b.cosine, digits) && a.worst.sample === b.worst.sample;
      }),
      // Values near 1e-17 beside errors of 0.001.
      { examples: [[[near('s0', 1e-17, 0.003), near('s1', 3e-17, 0.5)]]] },
    );
  });

  test('of equally bad samples the first by name is the worst', () => {
    const x = f32(1, 2);
    const y = f32(1, 1);
    for (const ids of [
      ['b', 'a', 'c'],
      ['c', 'b', 'a'],
    ]) {
      assert.equal(measure(ids.map((id) => ({ id, x, y }))).worst.sample, 'a');
    }
  });

  test('pooled over samples is the same as one long tensor, and not the mean of the samples', () => {
    const parts: Sample[] = [
      { id: 'loud', x: f32(100, 100), y: f32(101, 99) },
      { id: 'quiet', x: f32(1, 1), y: f32(2, 0) },
    ];
    const long = measure([{ id: 'long', x: f32(100, 100, 1, 1), y: f32(101, 99, 2, 0) }]);
    const pooled = measure(parts);
    assert.equal(pooled.sqnr, long.sqnr);
    assert.deepEqual(pooled.worst, { sample: 'quiet', sqnr: 0 });
    const mean = parts.reduce((sum, part) => sum + measure([part]).sqnr! / parts.length, 0);
    assert.ok(Math.abs(mean - pooled.sqnr!) > 10);
  });

  test('a sample may come in parts', () => {
    const whole = measure([{ id: 'a', x: f32(1, 2, 3, 4), y: f32(1, 2, 3, 5) }]);
    const parts = measure([
      { id: 'a', x: f32(1, 2), y: f32(1, 2) },
      { id: 'a', x: f32(3, 4), y: f32(3, 5) },
    ]);
    assert.deepEqual(parts, whole);
  });

  test('scaling both tensors changes nothing', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: -20, max: 20 }), (list, exponent) => {
        const factor = 2 ** exponent;
        const scaled = list.map(({ id, x, y }) => ({
          id,
          x: x.map((v) => v * factor),
          y: (y as Float32Array).map((v) => v * factor),
        }));
        const [a, b] = [measure(list), measure(scaled)];
        return close(a.sqnr, b.sqnr, 1e-3) && close(a.cosine, b.cosine, 1e-3);
      }),
    );
  });

  test('no error at all is null, and never the worst sample', () => {
    const exact: Sample = { id: 'exact', x: f32(1, 2), y: f32(1, 2) };
    assert.deepEqual(measure([exact]), { sqnr: null, cosine: 1, worst: { sample: 'exact', sqnr: null } });
    const mixed = measure([exact, { id: 'off', x: f32(1, 2), y: f32(1, 3) }]);
    assert.equal(mixed.worst.sample, 'off');
  });

  test('zero tensors have defined errors', () => {
    const zero = f32(0, 0);
    assert.deepEqual(measure([{ id: 'a', x: zero, y: zero }]), {
      sqnr: null,
      cosine: 1,
      worst: { sample: 'a', sqnr: null },
    });
    const off = measure([{ id: 'a', x: zero, y: f32(0, 1) }]);
    assert.deepEqual([off.sqnr, off.cosine], [SQNR_FLOOR, 0]);
    const lost = measure([{ id: 'a', x: f32(0, 1), y: zero }]);
    assert.deepEqual([lost.sqnr, lost.cosine], [0, 0]);
  });

  test('infinite references are left out; a lost value is the floor', () => {
    const masked = measure([{ id: 'a', x: f32(-Infinity, 3, NaN, -4), y: f32(-1e30, 3, 7, -3) }]);
    assert.ok(close(masked.sqnr, 10 * Math.log10(25), 1e-9));
    for (const bad of [NaN, Infinity]) {
      const broken = measure([{ id: 'a', x: f32(1, 2), y: f32(1, bad) }]);
      assert.deepEqual([broken.sqnr, broken.cosine], [SQNR_FLOOR, 0]);
      assert.deepEqual(JSON.parse(JSON.stringify(broken)), broken);
    }
  });

  test('where no value is finite in fp32 nothing is compared, whatever int8 has; a part is told with its share', () => {
    const resultOf = (...pairs: readonly (readonly [x: readonly number[], y: readonly number[]])[]) => {
      const accumulator = new ErrorAccumulator();
      for (const [index, [x, y]] of pairs.entries()) accumulator.add(`${index}`, f32(...x), f32(...y));
      return accumulator.result();
    };
    const silent = { incomparable: 'not-finite' };
    assert.deepEqual(
      resultOf([
        [NaN, NaN],
        [1, 2],
      ]),
      silent,
    );
    assert.deepEqual(resultOf([[Infinity], [Infinity]], [[-Infinity], [0]]), silent);
    assert.deepEqual(resultOf([[NaN], [NaN]]), silent);
    assert.deepEqual(resultOf([[], []], [[], []]), { incomparable: 'empty' });
    const half = resultOf(
      [
        [NaN, NaN],
        [7, 7],
      ],
      [
        [3, 4],
        [3, 4],
      ],
    );
    assert.deepEqual(half, { sqnr: null, cosine: 1, worst: { sample: '1', sqnr: null }, share: 0.5 });
    assert.deepEqual(
      resultOf(
        [
          [3, 4],
          [3, 4],
        ],
        [[], []],
      ),
      { sqnr: null, cosine: 1, worst: { sample: '0', sqnr: null } },
    );
  });

  test('nothing added is no measure; different lengths are a fault', () => {
    assert.equal(new ErrorAccumulator().result(), null);
    assert.throws(() => {
      new ErrorAccumulator().add('a', f32(1), f32(1, 2));
    }, /Cannot compare 1 values with 2/);
  });

  test('an output of another size in int8 is refused with what to do', () => {
    assertComparable('boxes', f32(1, 2), f32(3, 4));
    assert.throws(
      () => {
        assertComparable('boxes', f32(1), f32(1, 2));
      },
      {
        code: 'plan-impossible',
        message: 'The output "boxes" has 1 values in fp32 and 2 in int8, so it has no error.',
      },
    );
  });
});
