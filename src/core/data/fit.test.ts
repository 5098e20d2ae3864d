import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { allocate, elementCount, floatToHalf, halfToFloat, type ElementType, type Tensor } from '../tensor';
import { commonCount, rowsOfTensor, sampleOf, splitArray } from './arrays';
import { fitFeeds, fitTensor, integerRange } from './fit';
import { syntheticFeeds } from './synthetic';
import type { InputInfo } from './types';
import { feedsOfObject } from './values';

const input = (type: string, ...shape: (number | string)[]): InputInfo => ({ name: 'x', type, shape });
const isInvalid = (message: RegExp) => (error: unknown) =>
  (error as { code?: string }).code === 'data-invalid' && message.test((error as Error).message);

const INTEGERS = ['bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const;

function vector(type: ElementType, values: readonly (number | bigint)[]): Tensor {
  const data = allocate(type, values.length);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  values.forEach((value, i) => (data[i] = wide ? BigInt(value) : Number(value)));
  return { type, dims: [values.length], data };
}

describe('fitTensor', () => {
  test('integers arrive as the same numbers or not at all', () => {
    const targets = [...INTEGERS, 'float32', 'float64', 'float16'] as const;
    const source = fc.constantFrom(...INTEGERS).chain((type) => {
      const [min, max] = integerRange(type)!;
      return fc.record({ type: fc.constant(type), value: fc.bigInt({ min, max }) });
    });
    fc.assert(
      fc.property(source, fc.constantFrom(...targets), ({ type, value }, target) => {
        const range = integerRange(target);
        const limit = { float32: 2n ** 24n, float64: 2n ** 53n, float16: 2n ** 11n }[target as 'float32'];
        const [low, high] = range ?? [-limit, limit];
        const fit = (): Tensor => fitTensor(vector(type, [value]), input(target, 1), 'sample');
        if (type !== target && (value < low || value > high)) {
          assert.throws(fit, isInvalid(/would not survive/));
          return;
        }
        const [stored] = fit().data;
        assert.equal(BigInt(target === 'float16' ? halfToFloat(Number(stored)) : stored!), value);
      }),
      { numRuns: 500 },
    );
  });

  test('floats change precision by rounding', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -6e4, max: 6e4 }), (value) => {
        const wide = vector('float64', [value]);
        assert.equal(fitTensor(wide, input('float32', 1), 's').data[0], Math.fround(value));
        assert.equal(fitTensor(wide, input('float16', 1), 's').data[0], floatToHalf(value));
      }),
    );
  });

  test('refuses what would become infinite or lose its fraction', () => {
    assert.throws(() => fitTensor(vector('float32', [7e4]), input('float16', 1), 's'), isInvalid(/would not survive/));
    assert.throws(
      () => fitTensor(vector('float32', [1]), input('int64', 1), 's'),
      isInvalid(/"x": int64 \[1\]: its type is float32/),
    );
    assert.throws(() => fitTensor(vector('float32', [1]), input('string', 1), 's'), isInvalid(/not supported/));
  });

  test('adds a missing batch axis, and no other', () => {
    const tensor = vector('float32', [1, 2, 3]);
    assert.deepEqual(fitTensor(tensor, input('float32', 'N', 3), 's').dims, [1, 3]);
    assert.deepEqual(fitTensor(tensor, input('float32', 1, 'n'), 's').dims, [1, 3]);
    for (const shape of [[2, 3], [1, 4], [1, 1, 3], [4], []]) {
      assert.throws(() => fitTensor(tensor, input('float32', ...shape), 's'), isInvalid(/its shape is \[3\]/));
    }
  });
});

test('fitFeeds names the missing inputs and ignores strangers', () => {
  const [a, b] = [
    { ...input('float32', 2), name: 'a' },
    { ...input('int64', 1), name: 'b' },
  ];
  const feeds = { a: vector('float32', [1, 2]), b: vector('int64', [3]), label: vector('int64', [9]) };
  assert.deepEqual(Object.keys(fitFeeds(feeds, [a, b], 's')), ['a', 'b']);
  assert.throws(
    () => fitFeeds({ a: feeds.a, label: feeds.label }, [a, b], 'line 3'),
    isInvalid(/line 3 lacks the input "b": int64 \[1\]; it holds "a", "label"/),
  );
  assert.deepEqual(Object.keys(fitFeeds({ any: feeds.b }, [b], 's')), ['b']);
});

describe('splitArray', () => {
  const cases: [
    dims: number[],
    shape: (number | string)[],
    wanted: [count: number, rows: number, drop: boolean, left: number] | null,
  ][] = [
    [
      [10, 1, 3, 8, 8],
      [1, 3, 8, 8],
      [10, 1, true, 0],
    ],
    [
      [10, 3, 8, 8],
      [1, 3, 8, 8],
      [10, 1, false, 0],
    ],
    [
      [10, 3, 8, 8],
      ['N', 3, 8, 8],
      [10, 1, false, 0],
    ],
    [[1, 3, 8, 8], ['N', 3, 8, 8], null],
    [
      [10, 3],
      [4, 3],
      [2, 4, false, 2],
    ],
    [[4, 3], [4, 3], null],
    [[3, 8, 8], [1, 3, 8, 8], null],
    [[5], [], [5, 1, true, 0]],
    [[], [], null],
  ];
  for (const [dims, shape, wanted] of cases) {
    test(`[${dims.join(', ')}] for [${shape.join(', ')}]`, () => {
      const split = splitArray(dims, input('float32', ...shape));
      assert.deepEqual(split === null ? null : [split.count, split.rows, split.drop, split.left], wanted);
    });
  }

  test('the samples are the array, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        async (count, width, drop) => {
          const dims = drop ? [count, 1, width] : [count, width];
          const values = Array.from({ length: elementCount(dims) }, (_, i) => i);
          const array = rowsOfTensor({ ...vector('int32', values), dims });
          const split = splitArray(dims, input('int32', 1, width));
          const samples = await Promise.all(Array.from({ length: count }, (_, i) => sampleOf(array, split, i)));
          assert.deepEqual(
            samples.map((sample) => sample.dims),
            Array.from({ length: count }, () => [1, width]),
          );
          assert.deepEqual(
            samples.flatMap((sample) => Array.from(sample.data as Int32Array)),
            values,
          );
        },
      ),
    );
  });

  test('arrays that belong together must agree', () => {
    const parts = [4, 1, 5].map((count) => ({
      input: input('float32', 1, 2),
      split: splitArray([count, 2], input('float32', 1, 2)),
    }));
    assert.equal(commonCount(parts.slice(0, 2), 'a.npz'), 4);
    assert.throws(() => commonCount(parts, 'a.npz'), isInvalid(/4 for .*5 for/));
  });
});

describe('feedsOfObject', () => {
  const read = (value: unknown, info: InputInfo): Tensor => feedsOfObject({ x: value }, [info], 'line 1')['x']!;

  test('int64 is exact to its last bit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        assert.equal(read([value.toString()], input('int64', 1)).data[0], value);
      }),
    );
  });

  test('nested numbers, data with shape, and typed arrays are the same tensor', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.float(), fc.float(), fc.float()), { minLength: 1, maxLength: 5 }), (rows) => {
        const flat = rows.flat();
        const info = input('float32', 'n', 3);
        const wanted = { type: 'float32', dims: [rows.length, 3], data: Float32Array.from(flat) };
        assert.deepEqual(read(rows, info), wanted);
        assert.deepEqual(read({ data: flat, shape: [rows.length, 3] }, info), wanted);
        assert.deepEqual(read({ data: rows, dims: [rows.length, 3] }, info), wanted);
        assert.deepEqual(read(Float32Array.from(flat), info), wanted);
        assert.deepEqual(
          read({ type: 'float32', dims: [rows.length, 3], data: Float32Array.from(flat) }, info),
          wanted,
        );
      }),
    );
  });

  test('floats may be NaN and infinite, halves are rounded, booleans count', () => {
    assert.deepEqual(Array.from(read(['NaN', 'Infinity', '-Infinity'], input('float64', 3)).data as Float64Array), [
      NaN,
      Infinity,
      -Infinity,
    ]);
    assert.equal(read(0.1, input('float16')).data[0], floatToHalf(0.1));
    assert.deepEqual(Array.from(read([true, false], input('bool', 2)).data as Uint8Array), [1, 0]);
  });

  const wrong: [value: unknown, info: InputInfo, message: RegExp][] = [
    [[[1, 2], [3]], input('float32', 2, 2), /ragged/],
    [[1, [2]], input('float32', 2), /\[ 2 \] is not a number/],
    [[null], input('float32', 1), /null is not a number/],
    [[1.5], input('int64', 1), /1.5 is not an exact integer/],
    [[2 ** 53], input('int64', 1), /as strings/],
    [[300], input('uint8', 1), /300 is out of the range of uint8/],
    [['9223372036854775808'], input('int64', 1), /out of the range/],
    [[1, 2], input('float32', 3), /its shape is \[2\]/],
    [{ data: [1], shape: [2] }, input('float32', 2), /needs 2 values, "data" has 1/],
    [{ data: [1] }, input('float32', 1), /needs "data" and "shape"/],
    [new Float32Array(5), input('float32', 'n', 3), /no clear shape/],
    [{ type: 'float16', dims: [1], data: new Float32Array(1) }, input('float16', 1), /do not make a float16/],
  ];
  for (const [value, info, message] of wrong) {
    test(`refuses ${JSON.stringify(value)} for ${info.type} [${info.shape.join(', ')}]`, () => {
      assert.throws(() => read(value, info), isInvalid(message));
    });
  }

  test('refuses what is no object', () => {
    for (const value of [[1], null, 3, 'a', new Float32Array(1)]) {
      assert.throws(() => feedsOfObject(value, [input('float32', 1)], 's'), isInvalid(/not an object/));
    }
  });
});

describe('syntheticFeeds', () => {
  const inputs: InputInfo[] = [
    { name: 'image', type: 'float32', shape: ['N', 3, 'H', 'W'] },
    { name: 'ids', type: 'int64', shape: ['batch', 'seq'] },
    { name: 'attention_mask', type: 'int64', shape: ['batch', 'seq'] },
    { name: 'bytes', type: 'uint8', shape: [1, 4096] },
    { name: 'half', type: 'float16', shape: [8] },
    { name: 'flag', type: 'bool', shape: [] },
  ];

  test('has the types and shapes asked for', () => {
    const feeds = syntheticFeeds(inputs, 0, 0);
    assert.deepEqual(
      inputs.map(({ name }) => feeds[name]!.dims),
      [[1, 3, 224, 224], [1, 16], [1, 16], [1, 4096], [8], []],
    );
    assert.deepEqual(
      inputs.map(({ name }) => feeds[name]!.type),
      inputs.map(({ type }) => type),
    );
    assert.ok((feeds['attention_mask']!.data as BigInt64Array).every((value) => value === 1n));
    assert.ok((feeds['ids']!.data as BigInt64Array).every((value) => value >= 0n && value < 10n));
    assert.ok(new Set(feeds['bytes']!.data as Uint8Array).size > 250);
  });

  test('floats are standard normal', () => {
    const data = syntheticFeeds(inputs, 7, 3)['image']!.data as Float32Array;
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
    const kurtosis = data.reduce((sum, x) => sum + (x - mean) ** 4, 0) / data.length / variance ** 2;
    // Five standard errors at 150,528 numbers.
    assert.ok(
      Math.abs(mean) < 0.013 && Math.abs(variance - 1) < 0.02 && Math.abs(kurtosis - 3) < 0.07,
      `${mean} ${variance} ${kurtosis}`,
    );
  });

  test('the seed and the index alone decide', () => {
    const bytes = (seed: number, index: number): unknown => syntheticFeeds(inputs, seed, index)['bytes']!.data;
    assert.deepEqual(bytes(1, 2), bytes(1, 2));
    assert.notDeepEqual(bytes(1, 2), bytes(1, 3));
    assert.notDeepEqual(bytes(1, 2), bytes(2, 2));
  });
});
