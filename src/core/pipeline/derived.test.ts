import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TensorStats } from '../calibrate/histogram';
import { OBSERVERS } from '../../shared/recipe';
import { rangeOf } from '../calibrate/observers';

const SPEC = { bits: 8, qmin: 0, qmax: 255, symmetric: false };
const values = fc
  .array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 40 })
  .map((list) => Float32Array.from(list));

test('a Concat has the statistics of its inputs together', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(values, values), { minLength: 1, maxLength: 5 }), (samples) => {
      const [left, right, whole] = [new TensorStats(), new TensorStats(), new TensorStats()];
      samples.forEach(([a, b], sample) => {
        left.observe(a, sample);
        right.observe(b, sample);
        whole.observe(Float32Array.of(...a, ...b), sample);
      });
      const together = TensorStats.together([left, right]);
      assert.equal(together.samples, whole.samples);
      assert.equal(together.minSample, whole.minSample);
      assert.equal(together.maxSample, whole.maxSample);
      for (const observer of OBSERVERS) {
        if (observer === 'moving-average') continue;
        assert.deepEqual(rangeOf(together, { observer }, SPEC), rangeOf(whole, { observer }, SPEC), observer);
      }
      assert.ok(together.movingMax >= Math.max(left.movingMax, right.movingMax));
    }),
  );
});

test('of nothing, and of tensors that were never seen, it is empty', () => {
  assert.equal(TensorStats.together([]).count, 0);
  assert.equal(TensorStats.together([new TensorStats(), new TensorStats()]).count, 0);
});
