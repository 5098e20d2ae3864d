import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layer, measure, reportOf } from '../../../test/helpers/report';
import { mergePrices } from '../../shared/findings';
import { fixesToTry, type Candidate } from '../../shared/fixesToTry';
import type { Price } from '../../shared/price';
import { fixFacts, layerIndex, offeredFixes, pricesFacts } from './findingsView';
import type { Subject } from './subject';

const calibration = {
  data: 'd',
  synthetic: false,
  samples: 9,
  observer: 'min-max',
  skipped: [],
  cached: false,
} as const;
const report = reportOf({ calibration, layers: [layer('bad', { local: measure(5) })] });
const plan = fixesToTry(report, undefined, undefined, 9);

function priceOf(sqnr: number): Price {
  return {
    sqnr: { value: sqnr, low: sqnr, high: sqnr },
    ...{ agreement: null, top1: null, latency: null, bytes: 0, macs: 0, samples: 9 },
  };
}

/** After the first fixes of the plan were tried, with what each brought. */
function after(brought: readonly number[], planned: readonly Candidate[]): Subject {
  const start = { sqnr: 1, agreement: null, top1: null, top1Fp32: null };
  const fixes = brought.map((sqnr, index) => ({ ...plan[index]!, price: priceOf(sqnr) }));
  const prices = brought.length === 0 ? undefined : mergePrices(report, undefined, { samples: 9, start, fixes });
  return {
    report,
    base: undefined,
    found: { culprits: undefined, prices, speed: undefined, stamp: '' },
    planned,
    stamp: '',
  };
}
const titles = (subject: Subject): string[] => offeredFixes(subject, null).map(({ title }) => title);

test('while fixes are tried none moves; then the order is that of their prices', () => {
  const brought = plan.map((_, index) => index + 1);
  const before = titles(after([], []));
  assert.ok(before.length > 2);
  assert.deepEqual(titles(after(brought.slice(0, 2), plan.slice(2))), before);
  // A mode is offered only once it was found better; here it was tried last and brought most.
  const modes = plan.filter(({ fix }) => fix.kind === 'mode').map(({ fix }) => fix.title);
  assert.equal(modes.length, 1);
  assert.deepEqual(titles(after(brought, [])), [...modes, ...before.toReversed()]);
});

test('what is still to be tried is listed with what was, and is told from what nobody tries', () => {
  const facts = pricesFacts(after([1, -1], plan.slice(2)), layerIndex(report));
  assert.equal(facts?.fixes.length, plan.length);
  assert.deepEqual(
    facts.fixes.map(({ planned, judgement }) => (planned ? 'planned' : judgement)),
    ['better', 'worse', ...plan.slice(2).map(() => 'planned')],
  );
  assert.equal(pricesFacts(after([], []), layerIndex(report)), null);
  assert.equal(pricesFacts(after([], plan), layerIndex(report))?.start, null);
  const subject = after([], []);
  assert.ok(
    fixFacts(offeredFixes(subject, null), subject).every(
      ({ planned, judgement }) => !planned && judgement === 'untried',
    ),
  );
});
