import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { makeTensor } from '../tensor';
import { argmax, Classification, classCount, classScores, rankOf, TopK } from './classification';

const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(NaN));
const scores = fc.array(score, { minLength: 1, maxLength: 12 });

/** Classes by falling score, equals by index, NaN last: sorted by definition. */
function ranking(values: readonly number[]): number[] {
  const key = (i: number): number => (Number.isNaN(values[i]) ? -Infinity : values[i]!);
  return values.map((_, i) => i).sort((a, b) => key(b) - key(a) || a - b);
}

describe('ranks', () => {
  test('the rank of a class is its place in the sorted order; NaN is always last', () => {
    fc.assert(
      fc.property(scores, fc.nat(), (values, n) => {
        const label = n % values.length;
        const expected = Number.isNaN(values[label]) ? values.length : ranking(values).indexOf(label);
        assert.equal(rankOf(values, label), expected);
      }),
    );
  });

  test('argmax is the class of rank 0, or none', () => {
    fc.assert(
      fc.property(scores, (values) => {
        assert.equal(argmax(values), values.every(Number.isNaN) ? -1 : ranking(values)[0]);
      }),
    );
  });

  test('a label without a class has no rank', () => {
    assert.equal(rankOf([1, 2], 5), 2);
  });
});

describe('class scores', () => {
  test('one wide dimension after the batch', () => {
    assert.deepEqual(
      [[1, 1000], ['N', 1000], [1, 1000, 1, 1], [4, 10], [7]].map(classCount),
      [1000, 1000, 1000, 10, 7],
    );
    assert.deepEqual([[1, 4420, 2], [1, 1], [], [1, 'classes'], [2, 3, 4]].map(classCount), [
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('the first row of a larger batch; floats only', () => {
    const rows = makeTensor('float32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    assert.deepEqual([...(classScores(rows) ?? [])], [1, 2, 3]);
    assert.equal(classScores(makeTensor('int64', [1, 2], BigInt64Array.of(1n, 2n))), undefined);
  });
});

describe('accuracy', () => {
  test('counts top-1 and top-5', () => {
    const topK = new TopK();
    const falling = [9, 8, 7, 6, 5, 4];
    for (const label of [0, 1, 4, 5]) topK.add(falling, label);
    assert.deepEqual([topK.samples, topK.top1, topK.top5], [4, 25, 75]);
  });

  test('with five classes top-5 says nothing', () => {
    const topK = new TopK();
    topK.add([1, 2, 3, 4, 5], 0);
    assert.deepEqual([topK.top1, topK.top5], [0, null]);
  });

  test('compares two models', () => {
    const both = new Classification();
    both.add('a', [2, 1, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0], 0);
    both.add('b', [2, 1, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], 0);
    both.add('c', [0, 3, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0], 0);
    both.add('d', [0, 3, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], undefined);
    assert.deepEqual(both.result(), {
      samples: 4,
      labelled: 3,
      top1: { fp32: 200 / 3, int8: 100 / 3 },
      top5: { fp32: 100, int8: 100 },
      agreement: 50,
    });
    assert.deepEqual(both.changed, ['b', 'd']);
  });

  test('without labels only agreement, without int8 neither', () => {
    const unlabelled = new Classification();
    unlabelled.add('a', [1, 0], [1, 0], undefined);
    assert.deepEqual(unlabelled.result(), { samples: 1, top1: null, top5: null, agreement: 100 });
    const alone = new Classification();
    alone.add('a', [1, 0], undefined, 0);
    assert.deepEqual(alone.result(), { samples: 1, top1: null, top5: null, agreement: null });
  });

  test('two models that both answer NaN neither agree nor differ', () => {
    const broken = new Classification();
    broken.add('a', [NaN, NaN], [NaN, NaN], undefined);
    assert.equal(broken.result().agreement, null);
  });
});
