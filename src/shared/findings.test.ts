import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergePrices, parseFinding, priceOf, speedCheck } from './findings';
import { changeKey, type Fix } from './fixes';
import type { Price, Prices } from './price';

const RUN = { created: '2026-01-31T12:30:00.123Z' };

const price = (sqnr: number): Price => ({
  sqnr: { value: sqnr, low: sqnr, high: sqnr },
  ...{ agreement: null, top1: null, latency: null, bytes: 0, macs: 0, samples: 100 },
});

function keepFloat(select: string, because?: string): Fix {
  const override = { select, quantize: false, ...(because === undefined ? {} : { because }) };
  const change = { kind: 'override', override } as const;
  return { kind: 'exclude-layer', title: `Keep "${select}" in float`, detail: '', change, preferred: false };
}

const prices = (...fixes: readonly (readonly [Fix, number])[]): Prices => ({
  samples: 100,
  start: { sqnr: 20, agreement: null, top1: null, top1Fp32: null },
  fixes: fixes.map(([fix, sqnr]) => ({ fix, layer: 'a', price: price(sqnr) })),
});

describe('a file of findings', () => {
  const text = (change: object): string => JSON.stringify({ version: 1, report: RUN.created, layers: [], ...change });

  test('is taken as it is where it belongs to the run', () => {
    assert.deepEqual(parseFinding('culprits', text({ samples: 3 }), RUN), {
      ...{ version: 1, report: RUN.created, layers: [], samples: 3 },
    });
  });

  test('counts for nothing where it belongs to another, is of another version, or is something else', () => {
    assert.equal(parseFinding('culprits', text({ report: '2026-01-31T12:30:00.124Z' }), RUN), undefined);
    assert.equal(parseFinding('culprits', text({ version: 2 }), RUN), undefined);
    assert.equal(parseFinding('culprits', text({ layers: null }), RUN), undefined);
    assert.equal(parseFinding('speed', text({}), RUN), undefined);
    for (const broken of ['', '{', 'null', '[]', '7']) assert.equal(parseFinding('prices', broken, RUN), undefined);
  });
});

describe('prices', () => {
  test('of one layer are added to those of the others, the new ones first', () => {
    const known = mergePrices(RUN, undefined, prices([keepFloat('a'), 1], [keepFloat('b'), 2]));
    const merged = mergePrices(RUN, known, prices([keepFloat('c'), 3]));
    assert.equal(merged.report, RUN.created);
    assert.deepEqual(
      merged.fixes.map(({ fix }) => fix.title),
      ['c', 'a', 'b'].map((name) => keepFloat(name).title),
    );
  });

  test('that are measured again replace the old ones, whatever reason the fix gives', () => {
    const known = mergePrices(RUN, undefined, prices([keepFloat('a', 'it was bad'), 1]));
    const merged = mergePrices(RUN, known, prices([keepFloat('a', 'it is bad'), 5]));
    assert.equal(merged.fixes.length, 1);
    assert.equal(priceOf(merged, changeKey(keepFloat('a').change))?.price?.sqnr.value, 5);
    assert.equal(priceOf(merged, changeKey(keepFloat('b').change)), undefined);
  });
});

test('of each benchmark the medians and the paired ratio are kept', () => {
  const entry = (median: number, ratio: number) => ({ model: '', bytes: 1, median, mean: 9, p95: 9, min: 1, ratio });
  const benchmark = { threads: 2, warmup: 1, runs: 1, seed: 0, entries: [entry(4, 1), entry(2, 1.9)] };
  assert.deepEqual(speedCheck(RUN, [benchmark, { ...benchmark, entries: [] }]), {
    ...{ version: 1, report: RUN.created },
    timings: [{ threads: 2, ratio: 1.9, fp32: 4, int8: 2 }],
  });
});
