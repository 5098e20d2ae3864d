import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Fix } from './fixes';
import { byPrice, comparePriced, judge, JUDGEMENTS, promises, worth } from './judgement';
import type { Difference, Price, PricedFix, Prices } from './price';

const told = (value: number): Difference => ({ value, low: value - 0.01, high: value + 0.01 });
const noise = (value = 0): Difference => ({ value, low: value - 99, high: value + 99 });

const NOTHING: Price = {
  ...{ sqnr: noise(), agreement: null, top1: null, latency: null },
  ...{ bytes: 0, macs: 0, samples: 100 },
};
const price = (changes: Partial<Price>): Price => ({ ...NOTHING, ...changes });

const fixOf = (select: string): Fix => ({
  ...{ kind: 'exclude-layer', title: select, detail: '', preferred: false },
  change: { kind: 'override', override: { select, quantize: false } },
});
const priced = (name: string, changes: Partial<Price> | null): PricedFix => ({
  ...{ fix: fixOf(name), layer: name, price: changes === null ? null : price(changes) },
});

describe('a price is judged', () => {
  const of = (changes: Partial<Price>): string => judge({ price: price(changes) });

  test('by what is beyond the noise alone', () => {
    assert.equal(of({}), 'same');
    assert.equal(of({ sqnr: noise(20), top1: noise(-5), latency: noise(0.3), bytes: 9 }), 'same');
    assert.equal(of({ sqnr: told(2) }), 'better');
    assert.equal(of({ sqnr: told(-2) }), 'worse');
  });

  test('by accuracy before agreement, by agreement before error, by error before time', () => {
    assert.equal(of({ top1: told(-1), agreement: told(1), sqnr: told(9) }), 'worse');
    assert.equal(of({ top1: noise(), agreement: told(-1), sqnr: told(9) }), 'worse');
    assert.equal(of({ sqnr: told(1), latency: told(0.5) }), 'better');
  });

  test('by time where nothing else tells: more of it for nothing is worse', () => {
    assert.equal(of({ latency: told(0.2) }), 'worse');
    assert.equal(of({ latency: told(-0.2) }), 'better');
  });

  test('not where there is none', () => {
    assert.equal(judge(undefined), 'untried');
    assert.equal(judge({ price: null }), 'impossible');
    assert.deepEqual(JUDGEMENTS.filter(promises), ['better', 'untried']);
  });
});

describe('the worth of a fix', () => {
  test('is the error that goes less the time that comes, both as shares', () => {
    assert.ok(Math.abs(worth(price({ sqnr: told(10), latency: told(0.2) })) - 0.7) < 1e-9);
    assert.ok(Math.abs(worth(price({ sqnr: told(10), macs: -30 })) - 0.6) < 1e-9);
    assert.equal(worth(price({ sqnr: noise(10), latency: noise(0.2) })), 0);
    assert.equal(worth(price({ top1: told(3) })), 0.03);
  });

  test('is no larger for keeping half of the model in float than for what takes most of the error for little', () => {
    assert.ok(worth(price({ sqnr: told(50), macs: -50 })) < worth(price({ sqnr: told(10), macs: -2 })));
  });
});

describe('the order of fixes', () => {
  const prices = (...fixes: PricedFix[]): Prices => ({
    ...{ samples: 100, fixes, start: { sqnr: 1, agreement: null, top1: null, top1Fp32: null } },
  });
  const names = ['a', 'b', 'c', 'd', 'e'];

  test('is that of the suggestions where nothing is known', () => {
    const fixes = names.map(fixOf);
    assert.deepEqual(byPrice(fixes, undefined), fixes);
    assert.deepEqual(byPrice(fixes, prices()), fixes);
  });

  test('has what helps first, then the untried, what is noise, what makes worse, what is impossible', () => {
    const known = prices(
      priced('a', { sqnr: told(-1) }),
      priced('b', null),
      priced('c', {}),
      priced('e', { sqnr: told(5) }),
    );
    assert.deepEqual(
      byPrice(names.map(fixOf), known).map(({ title }) => title),
      ['e', 'd', 'c', 'a', 'b'],
    );
  });

  test('among those that help is by worth', () => {
    const known = prices(priced('a', { sqnr: told(3) }), priced('b', { sqnr: told(9), macs: -1 }));
    assert.deepEqual(
      byPrice(['a', 'b'].map(fixOf), known).map(({ title }) => title),
      ['b', 'a'],
    );
  });

  const anyDifference = fc
    .tuple(fc.double({ min: -50, max: 50, noNaN: true }), fc.double({ min: 0, max: 9, noNaN: true }))
    .map(([value, width]) => ({ value, low: value - width, high: value + width }));
  const anyPrice = fc
    .record({ sqnr: anyDifference, top1: fc.option(anyDifference), latency: fc.option(anyDifference) })
    .map((changes) => priced('a', changes));

  test('is one: whatever was measured, it does not run in circles', () => {
    const any = fc.oneof(anyPrice, fc.constant(undefined), fc.constant(priced('a', null)));
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        assert.equal(Math.sign(comparePriced(a, b)), -Math.sign(comparePriced(b, a)) + 0);
        if (comparePriced(a, b) <= 0 && comparePriced(b, c) <= 0) assert.ok(comparePriced(a, c) <= 0);
      }),
    );
  });
});
