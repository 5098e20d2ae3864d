import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { LayerOverride } from './recipe';
import { nearestNames, resolveOverrides, scopeOf } from './selectors';

const NODES = [
  { name: 'features/0/conv', op: 'Conv' },
  { name: 'features/0/relu', op: 'Relu' },
  { name: 'features/1/conv', op: 'Conv' },
  { name: '/features/10/conv', op: 'Conv' },
  { name: 'head/fc[0]', op: 'Gemm' },
  { name: 'op:Odd*', op: 'Odd' },
];

function matched(select: string): string[] {
  return [...resolveOverrides([{ select, quantize: false }], NODES).keys()];
}

function overridesOf(...entries: LayerOverride[]): Record<string, unknown> {
  return Object.fromEntries(resolveOverrides(entries, NODES));
}

describe('what a selector means', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['features/0/conv', ['features/0/conv']],
    ['op:Conv', ['features/0/conv', 'features/1/conv', '/features/10/conv']],
    ['scope:features', ['features/0/conv', 'features/0/relu', 'features/1/conv', '/features/10/conv']],
    ['scope:features/1', ['features/1/conv']],
    ['scope:/features/10/', ['/features/10/conv']],
    ['scope:features/0/conv', ['features/0/conv']],
    ['features/*/conv', ['features/0/conv', 'features/1/conv']],
    ['**/conv', ['features/0/conv', 'features/1/conv', '/features/10/conv']],
    ['features/{0,1}/*', ['features/0/conv', 'features/0/relu', 'features/1/conv']],
    ['features/?/relu', ['features/0/relu']],
    ['regex:s/1/', ['features/1/conv']],
    ['regex:^features/\\d/(conv|relu)$', ['features/0/conv', 'features/0/relu', 'features/1/conv']],
    // Names that look like patterns are names.
    ['head/fc[0]', ['head/fc[0]']],
    ['op:Odd*', ['op:Odd*']],
  ];
  for (const [select, names] of cases) {
    test(select, () => {
      assert.deepEqual(matched(select).sort(), [...names].sort());
    });
  }

  test('scopes end at slashes', () => {
    assert.throws(() => matched('scope:feature'), { code: 'selector-unmatched' });
    assert.throws(() => matched('op:*'), { code: 'selector-unmatched' });
    assert.equal(scopeOf('/a/b/c'), 'a/b');
    assert.equal(scopeOf('c'), '');
  });
});

describe('what a selector means where paths have dots', () => {
  const nodes = ['stem.0', 'stage1.conv.0', 'stage1.act'].map((name) => ({
    ...{ name, path: name.replaceAll('.', '/') },
    op: name.endsWith('0') ? 'Conv2d' : 'PReLU',
  }));
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['stage1.act', ['stage1.act']],
    ['stage1/act', ['stage1.act']],
    ['scope:stage1', ['stage1.conv.0', 'stage1.act']],
    ['*.0', ['stem.0']],
    ['op:PReLU', ['stage1.act']],
    // Dots of a pattern are those of a pattern, and the name is the one with dots.
    ['regex:^st.+[.]0$', ['stem.0', 'stage1.conv.0']],
  ];
  for (const [select, names] of cases) {
    test(select, () => {
      assert.deepEqual([...resolveOverrides([{ select, quantize: false }], nodes).keys()], names);
    });
  }

  test('what is near has dots as well', () => {
    const wrong = (select: string) => (): unknown => resolveOverrides([{ select, quantize: false }], nodes);
    assert.throws(wrong('stage1.atc'), { message: /Did you mean "stage1\.act"/ });
    assert.throws(wrong('regex:nothing'), { code: 'selector-unmatched' });
  });
});

describe('which entry wins', () => {
  const name: LayerOverride = { select: 'features/0/conv', observer: 'mse' };
  const glob: LayerOverride = { select: 'features/*/conv', observer: 'entropy' };
  const scope: LayerOverride = { select: 'scope:features', observer: 'percentile' };
  const op: LayerOverride = { select: 'op:Conv', observer: 'min-max' };

  test('name beats glob beats scope beats op, in whatever order they stand', () => {
    const kinds = [name, glob, scope, op];
    for (let strongest = 0; strongest < kinds.length; strongest++) {
      fc.assert(
        fc.property(fc.shuffledSubarray(kinds.slice(strongest), { minLength: kinds.length - strongest }), (entries) => {
          const found = resolveOverrides(entries, NODES).get('features/0/conv');
          assert.equal(found?.observer, kinds[strongest]!.observer);
        }),
        { numRuns: 25 },
      );
    }
  });

  test('of one kind the later wins, key by key', () => {
    const overrides = overridesOf(
      { select: 'op:Conv', observer: 'mse', percentile: 99 },
      { select: 'op:Odd', quantize: false, because: 'odd' },
      { select: '**/conv', observer: 'entropy' },
      { select: 'features/**', observer: 'min-max' },
    );
    assert.deepEqual(overrides['features/1/conv'], { observer: 'min-max', percentile: 99 });
    assert.deepEqual(overrides['/features/10/conv'], { observer: 'entropy', percentile: 99 });
    assert.deepEqual(overrides['features/0/relu'], { observer: 'min-max' });
    assert.deepEqual(overrides['op:Odd*'], { quantize: false });
  });
});

describe('a selector that means nothing', () => {
  const message = (select: string): string => {
    try {
      matched(select);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'selector-unmatched');
      return (error as Error).message;
    }
    return assert.fail(`${select} matched`);
  };

  test('is refused with the nearest names of its kind', () => {
    assert.match(message('features/0/cov'), /"features\/0\/cov" matches no layer.*Did you mean "features\/0\/conv"/);
    assert.match(message('op:Cnv'), /Did you mean "op:Conv"/);
    assert.match(message('scope:featurs'), /Did you mean/);
    assert.match(message('relu'), /"features\/0\/relu"/);
    assert.doesNotMatch(message('completely different thing'), /Did you mean/);
  });

  test('is refused even beside others that match', () => {
    assert.throws(() => overridesOf({ select: 'op:Conv' }, { select: 'op:Nothing' }), { code: 'selector-unmatched' });
  });

  test('at most three names are suggested', () => {
    const names = Array.from({ length: 9 }, (_, i) => `conv${i}`);
    assert.equal(nearestNames('conv', names).length, 3);
  });
});
