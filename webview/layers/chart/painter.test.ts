import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ellipsize, SvgPainter, xmlText, type Shape } from './painter';

const measure = (text: string): number => Array.from(text).length * 6;
const HOSTILE = '"><script>alert(1)</script>&\u0000\u001b';

test('text is cut to a width, with an ellipsis, and left out where nothing fits', () => {
  assert.equal(ellipsize('abcdef', 100, measure), 'abcdef');
  assert.equal(ellipsize('abcdef', 18, measure), 'ab…');
  assert.equal(ellipsize('abcdef', 6, measure), '');
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 200 }), (text, most) => {
      assert.ok(measure(ellipsize(text, most, measure)) <= most);
    }),
  );
});

describe('an SVG file', () => {
  const painter = new SvgPainter(measure);
  painter.rect(1.234, 2, 3, 4, { fill: 'red' });
  painter.line([0, 0, 10.555, 5], { stroke: 'blue', width: 2, dash: [2, 3] });
  for (const shape of ['square', 'circle', 'triangle', 'diamond'] satisfies Shape[]) {
    painter.marks(shape, [5, 5, 9, 9], 4, { fill: 'green' });
  }
  painter.text(3, 4, HOSTILE, { fill: 'black', size: 11, rotate: -40 });
  painter.clip(0, 0, 5, 5, () => {
    painter.rect(0, 0, 1, 1, {});
  });
  const file = painter.document(100, 50, HOSTILE, 'white', '"Font", sans');

  test('holds names of a model as text only', () => {
    assert.ok(!file.includes('<script'));
    assert.ok(file.includes(xmlText(HOSTILE)));
    assert.ok(!file.includes('\u0000') && !file.includes('\u001b'));
  });

  test('closes what it opens', () => {
    const open: string[] = [];
    for (const [, closing, tag = '', end] of file.matchAll(/<(\/?)([a-zA-Z]+)[^>]*?(\/?)>/g)) {
      if (closing === '/') assert.equal(open.pop(), tag);
      else if (end !== '/') open.push(tag);
    }
    assert.deepEqual(open, []);
  });

  test('has each mark once, and its coordinates in hundredths', () => {
    assert.equal(file.match(/<circle/g)?.length, 2);
    assert.match(file, /<rect x="1.23" y="2"/);
    assert.match(file, /M0 0L10.56 5|M0 0L10.55 5/);
  });
});
