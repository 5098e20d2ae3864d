import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layer, measure, reportOf } from '../../../test/helpers/report';
import { mergePrices } from '../../shared/findings';
import { layerFixes } from '../../shared/layerFixes';
import type { Price } from '../../shared/price';
import { fixPicks } from './fixPicks';

const observed = { min: -1, max: 9 };
const report = reportOf({
  layers: [
    layer('bad', {
      local: measure(5),
      tensors: [
        {
          ...{ name: 'y', role: 'output', shape: [1], observed, range: observed },
          chosenBy: { observer: 'min-max', percentile: null },
          quantization: null,
        } as never,
      ],
    }),
  ],
});
const [first, second] = layerFixes(report, undefined, 'bad');
const NOTHING = { culprits: undefined, prices: undefined };

function priceOf(sqnr: number): Price {
  return {
    sqnr: { value: sqnr, low: sqnr, high: sqnr },
    ...{ agreement: null, top1: null, latency: null, bytes: 0, macs: 0, samples: 9 },
  };
}
const priced = (...values: readonly number[]) =>
  mergePrices(report, undefined, {
    ...{ samples: 9, start: { sqnr: 1, agreement: null, top1: null, top1Fp32: null } },
    fixes: values.map((sqnr, index) => ({ fix: [first!, second!][index]!, layer: 'bad', price: priceOf(sqnr) })),
  });

const described = (...args: Parameters<typeof fixPicks>): string[] =>
  fixPicks(...args).map(({ description }) => description);

test('a fix that was not tried says so, and whether it is being tried', () => {
  assert.ok(first !== undefined && second !== undefined);
  const planned = [first, second].map((fix) => ({ fix, layer: 'bad' }));
  assert.deepEqual(described(report, 'bad', NOTHING, undefined).slice(0, 2), [
    'try this first · not tried yet',
    'not tried yet',
  ]);
  assert.deepEqual(described(report, 'bad', NOTHING, { planned, waits: false }).slice(0, 2), [
    'try this first · being tried…',
    'to be tried',
  ]);
  assert.equal(described(report, 'bad', NOTHING, { planned, waits: true })[0], 'try this first · to be tried');
});

test('what makes things worse goes last and is not recommended', () => {
  const picks = fixPicks(report, 'bad', { culprits: undefined, prices: priced(-2, 3) }, undefined);
  assert.deepEqual([picks[0]?.label, picks[0]?.description], [second!.title, 'try this first · output +3.00 dB']);
  assert.deepEqual([picks.at(-1)?.label, picks.at(-1)?.description], [first!.title, 'makes it worse: output −2.00 dB']);
  assert.ok(
    described(report, 'bad', { culprits: undefined, prices: priced(-2, -1) }, undefined).every(
      (text) => !text.includes('first') || text.includes('not tried'),
    ),
  );
});

test('of a PyTorch model nothing is tried, and nothing is said of it', () => {
  const torch = { ...report, framework: 'torch' } as const;
  assert.deepEqual(new Set(described(torch, 'bad', NOTHING, undefined)), new Set(['try this first', '']));
});
