import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { RunFacts } from '../../src/shared/viewFacts';
import { errorOfChange, errorOfShare, figures, type Figure } from './figures';

const run: RunFacts = {
  ...{ created: '2026-01-31T12:00:00.000Z', backend: 'ort-cpu', mode: 'static', calibration: null },
  accuracy: { samples: 300, top1: { fp32: 96.7, int8: 94.7 }, top5: null, agreement: 96 },
  maybeClasses: [],
  bytes: { fp32: 160_000, int8: 70_400 },
  latency: { threads: 1, fp32: 0.106, int8: 0.142, ratio: 0.747 },
  counts: { quantized: 15, float: 2, fallback: 2 },
  shapeComputations: 0,
  output: { name: 'y', sqnr: 17, parts: [] },
};

const named = (list: readonly Figure[], label: string): Figure =>
  list.find((figure) => figure.label.startsWith(label))!;

test('the standard error of a difference is that of McNemar', () => {
  // Of 100 samples 10 are right in fp32 alone and 4 in int8 alone: (b + c − (b − c)²/n) / n².
  const expected = 100 * Math.sqrt((14 - 36 / 100) / 100 ** 2);
  assert.ok(Math.abs(errorOfChange(80, 74, 86, 100) - expected) < 1e-9);
  assert.ok(Math.abs(errorOfShare(50, 100) - 5) < 1e-9);
  const percent = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(percent, percent, fc.option(percent), fc.integer({ min: 1, max: 1e6 }), (p, q, agreement, n) => {
      assert.ok(errorOfChange(p, q, agreement, n) >= 0);
    }),
  );
});

describe('figures of a run', () => {
  test('tell both models, what changed, and whether that is more than chance', () => {
    const list = figures({ run, base: null });
    assert.deepEqual(
      list.map(({ label }) => label),
      ['Top-1', 'Output SQNR', 'Size', 'Latency (1 thread)'],
    );
    const top1 = named(list, 'Top-1');
    assert.deepEqual([top1.before, top1.value, top1.change?.tone], ['96.7', '94.7 %', 'same']);
    assert.deepEqual([named(list, 'Size').before, named(list, 'Size').value], ['160', '70.4 kB']);
    assert.equal(named(list, 'Latency').change?.tone, 'worse');
    assert.ok(list.every(({ since }) => since === null));
  });

  test('with a run before tell how they changed since, smaller files and times being better', () => {
    const base = {
      ...run,
      relation: 'previous' as const,
      bytes: { fp32: 160_000, int8: 71_400 },
      latency: { threads: 1 as const, fp32: 0.106, int8: 0.2, ratio: 0.5 },
      output: { name: 'y', sqnr: 28, parts: [] },
    };
    const list = figures({ run, base });
    assert.deepEqual(named(list, 'Size').since, { text: '−1.00 kB', tone: 'better' });
    // 0.5 then and 0.747 now of the time of fp32: a third less.
    const { text, tone } = named(list, 'Latency').since!;
    assert.deepEqual([text, tone], ['−33 %', 'better']);
    const busy = { ...base, latency: { threads: 1 as const, fp32: 0.212, int8: 0.28, ratio: 0.757 } };
    const quiet = { text: '+1 %', tone: 'same' };
    assert.deepEqual(named(figures({ run, base: busy }), 'Latency').since, quiet, 'a busy machine is no change');
    assert.deepEqual(named(list, 'Output').since, { text: '−11.0', tone: 'worse' });
    const other = figures({ run, base: { ...base, output: { name: 'z', sqnr: 28, parts: [] } } });
    assert.equal(named(other, 'Output').since, null, 'another output is not compared');
  });

  test('without labels tell how often both agree, and what was not measured not at all', () => {
    const agreeing = { samples: 100, top1: null, top5: null, agreement: 90 };
    const list = figures({ run: { ...run, accuracy: agreeing, latency: null }, base: null });
    assert.deepEqual([list[0]?.label, list[0]?.value, list[0]?.change?.text], ['Same class', '90.0 %', '±3.0']);
    assert.equal(named(list, 'Latency').value, '–');
    assert.equal(figures({ run: { ...run, accuracy: null, output: null }, base: null }).length, 2);
    const [first] = figures({ run: { ...run, accuracy: null, maybeClasses: ['y'] }, base: null });
    assert.deepEqual([first?.label, first?.value], ['Same class', '–']);
    assert.match(first?.hint ?? '', /"y".*task: classify/);
  });
});
