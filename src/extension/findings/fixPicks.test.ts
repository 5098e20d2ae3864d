import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layer, measure, reportOf } from '../../../test/helpers/report';
import { mergePrices } from '../../shared/findings';
import { layerFixes } from '../../shared/layerFixes';
import type { Price } from '../../shared/price';
import { fixChoices } from './fixPicks';

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

const described = (...args: Parameters<typeof fixChoices>): string[] =>
  fixChoices(...args).picks.map(({ description }) => description);

test('a fix that was not tried says so', () => {
  assert.ok(first !== undefined && second !== undefined);
  const { picks, waiting } = fixChoices(report, 'bad', NOTHING, []);
  assert.deepEqual([picks[0]?.description, picks[1]?.description], ['try this first · not tried yet', 'not tried yet']);
  assert.equal(waiting, 0);
});

test('what is being tried is offered once it has a price', () => {
  const planned = [first, second].map((fix) => ({ fix: fix!, layer: 'bad' }));
  const all = fixChoices(report, 'bad', NOTHING, []).picks;
  const before = fixChoices(report, 'bad', NOTHING, planned);
  assert.deepEqual(before, { picks: all.slice(2), waiting: 2 });
  // The plan may still name what has a price since a moment.
  const after = fixChoices(report, 'bad', { culprits: undefined, prices: priced(3) }, planned);
  assert.equal(after.waiting, 1);
  assert.deepEqual(
    [after.picks[0]?.label, after.picks[0]?.description],
    [first!.title, 'try this first · output +3.00 dB'],
  );
  assert.ok(after.picks.every(({ label }) => label !== second!.title));
});

test('what makes things worse goes last and is not recommended', () => {
  const picks = fixChoices(report, 'bad', { culprits: undefined, prices: priced(-2, 3) }, []).picks;
  assert.deepEqual([picks[0]?.label, picks[0]?.description], [second!.title, 'try this first · output +3.00 dB']);
  assert.deepEqual([picks.at(-1)?.label, picks.at(-1)?.description], [first!.title, 'makes it worse: output −2.00 dB']);
  assert.ok(
    described(report, 'bad', { culprits: undefined, prices: priced(-2, -1) }, []).every(
      (text) => !text.includes('first') || text.includes('not tried'),
    ),
  );
});

test('of a PyTorch model nothing is tried, and nothing is said of it', () => {
  const torch = { ...report, framework: 'torch' } as const;
  assert.deepEqual(new Set(described(torch, 'bad', NOTHING, [])), new Set(['try this first', '']));
});
