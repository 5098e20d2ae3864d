import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TensorStats } from './histogram';
import { histogramView } from './histogramView';

const BINS = 32;

/** Subnormal floats count as zeros. */
const flush = (value: number): number => (Math.abs(value) < 2 ** -100 ? 0 : value);

function viewOf(values: readonly number[]): ReturnType<typeof histogramView> {
  const stats = new TensorStats();
  stats.observe(Float32Array.from(values), 0);
  return histogramView(stats, BINS);
}

test('every value is in the bin that it belongs to, or beside it by a thousandth of itself', () => {
  const value = fc.oneof(fc.float({ noNaN: true, min: -100, max: 100 }), fc.constant(0), fc.constant(1)).map(flush);
  const property = fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), (values) => {
    const { min, max, counts, total } = viewOf(values);
    assert.equal(total, values.length);
    assert.equal(
      counts.reduce((a, b) => a + b, 0),
      values.length,
    );
    assert.deepEqual([min, max], [Math.min(...values) + 0, Math.max(...values) + 0]);
    const scale = Math.max(-min, max);
    let below = 0;
    for (const [bin, inBin] of counts.entries()) {
      const edge = min + ((max - min) * bin) / BINS;
      const slack = Math.abs(edge) / 1000 + scale * 2 ** -14;
      const atLeast = values.filter((v) => v < edge - slack).length;
      const atMost = values.filter((v) => v <= edge + slack).length;
      assert.ok(atLeast <= below && below <= atMost, `${atLeast} ≤ ${below} ≤ ${atMost} below ${edge}`);
      below += inBin;
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('of one value, and of none', () => {
  assert.equal(viewOf([2.5, 2.5]).counts[0], 2);
  const none = histogramView(new TensorStats(), BINS);
  assert.deepEqual([none.min, none.max, none.total, none.counts.length], [0, 0, 0, BINS]);
});
