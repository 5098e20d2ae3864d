import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mayExplode, REGEX, regexOf } from './regexSelector';

describe('patterns of layer names', () => {
  const usual = [
    String.raw`^layer[1-3]\.\d+\.conv2$`,
    String.raw`(?:conv|fc)\d+$`,
    String.raw`^blocks\.(?<block>\d{1,2})\.(attn|mlp)`,
    String.raw`features(?:\.denseblock\d)?\.norm`,
    String.raw`[(+*]+\(+\)+`,
    String.raw`^(?!head)(?:ab)+.*gate(\d+)?$`,
    '(?:ab){2,}c{3}',
  ];
  for (const pattern of usual) {
    test(`${pattern} is one`, () => {
      assert.ok(regexOf(REGEX + pattern));
    });
  }

  for (const pattern of [
    '(a+)+$',
    '(?:a|aa)*b',
    '((a*)b)*',
    '(?<x>[ab]+){2,}c',
    '(a?){30}a',
    '(x+)*?y',
    String.raw`(\w+\.)+$`,
  ]) {
    test(`${pattern} may take for ever`, () => {
      assert.ok(mayExplode(pattern));
      assert.equal(regexOf(REGEX + pattern), undefined);
    });
  }

  test('what is no expression is none', () => {
    for (const pattern of ['(', '[a', 'a{2,1}', '*']) assert.equal(regexOf(REGEX + pattern), undefined);
  });

  test('whatever is let through answers at once', () => {
    const part = fc.constantFrom('a', 'b', '.', '[ab]', '(', ')', '(?:', '|', '*', '+', '?', '{2,}', '{1,3}');
    const patterns = fc.array(part, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(''));
    const name = `${'ab'.repeat(4)}${'a'.repeat(24)}!`;
    fc.assert(
      fc.property(patterns, (pattern) => {
        const start = performance.now();
        regexOf(REGEX + pattern)?.test(name);
        assert.ok(performance.now() - start < 1000, pattern);
      }),
      { numRuns: 5000 },
    );
  });
});
