import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { globToRegExp, isGlob } from './glob';

const matches = (pattern: string, text: string): boolean => globToRegExp(pattern).test(text);

describe('globToRegExp', () => {
  const cases: [pattern: string, yes: string[], no: string[]][] = [
    ['*.jpg', ['a.jpg', '.jpg'], ['a/b.jpg', 'a.jpeg', 'a.jpgx']],
    ['a/*/c', ['a/b/c', 'a//c'], ['a/c', 'a/b/b/c']],
    ['a/**/c', ['a/c', 'a/b/c', 'a/b/d/c'], ['ac', 'a/bc', 'xa/c']],
    ['**/c', ['c', 'a/c', 'a/b/c'], ['ac']],
    ['a/**', ['a/b', 'a/b/c'], ['ab', 'b/a']],
    ['**/**/c', ['c', 'a/b/c'], ['xc']],
    ['a**c', ['ac', 'a/b/c'], ['a/b']],
    ['?.png', ['x.png', '😀.png'], ['.png', 'xy.png', '/.png']],
    ['{a,b{c,d}}.x', ['a.x', 'bc.x', 'bd.x'], ['b.x', 'c.x', 'a,b.x']],
    ['conv[0].{weight', ['conv[0].{weight'], ['conv0.{weight']],
    ['a\\*b\\', ['a*b\\'], ['axb\\']],
    ['a,b}', ['a,b}'], ['a']],
  ];
  for (const [pattern, yes, no] of cases) {
    test(pattern, () => {
      for (const text of yes) assert.ok(matches(pattern, text), `${pattern} should match ${text}`);
      for (const text of no) assert.ok(!matches(pattern, text), `${pattern} should not match ${text}`);
    });
  }

  test('an escaped text matches itself alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, other) => {
        const pattern = text.replace(/[*?{},\\]/g, '\\$&');
        assert.ok(matches(pattern, text));
        assert.equal(matches(pattern, other), text === other);
      }),
    );
  });

  test('* and ** differ exactly in the slash', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(matches('*', text), !text.includes('/'));
        assert.ok(matches('**', text));
      }),
    );
  });

  test('no pattern makes an invalid expression', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('*', '?', '{', '}', ',', '\\', '/', '[', '(', 'a') }),
        (p) => void globToRegExp(p),
      ),
    );
  });

  test('isGlob', () => {
    assert.deepEqual(['a*', 'a?', '{a,b}', 'a/b[0]'].map(isGlob), [true, true, true, false]);
  });
});
