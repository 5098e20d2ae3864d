import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { yamlSoup } from '../../test/helpers/yamlSoup';
import { cursorAt } from './cursor';

/** `|` marks the cursor. */
function at(marked: string): ReturnType<typeof cursorAt> {
  const offset = marked.indexOf('|');
  return cursorAt(marked.replace('|', ''), offset);
}

const CASES: readonly (readonly [text: string, kind: 'key' | 'value', path: string, typed: string])[] = [
  ['|', 'key', '', ''],
  ['mod|', 'key', '', 'mod'],
  ['mod|el: x', 'key', '', 'mod'],
  ['model: x\n|', 'key', '', ''],
  ['model: |', 'value', 'model', ''],
  ['model: a/b|', 'value', 'model', 'a/b'],
  ['model: "a b|', 'value', 'model', 'a b'],
  ['calibration:\n  da|', 'key', 'calibration', 'da'],
  ['calibration:\n  data: x\n  |\nbackend: y', 'key', 'calibration', ''],
  ['calibration: { da| }', 'key', 'calibration', 'da'],
  ['calibration: { data: i|, samples: 3 }', 'value', 'calibration.data', 'i'],
  ['calibration: {\n  data: i,\n  | }', 'key', 'calibration', ''],
  ['calibration:\n  data:\n    - i|', 'key', 'calibration.data.0', 'i'],
  ['calibration: { data: [a, b|] }', 'value', 'calibration.data.1', 'b'],
  ['layers:\n  - |', 'key', 'layers.0', ''],
  ['layers:\n  - select: a\n    qu|', 'key', 'layers.0', 'qu'],
  ['layers:\n  - select: a\n  - select: op:C|', 'value', 'layers.1.select', 'op:C'],
  ['layers:\n  - select: |op:Conv', 'value', 'layers.0.select', ''],
  ['layers:\n  - select: o|p:Conv\n    quantize: false', 'value', 'layers.0.select', 'o'],
  ['layers:\n  - select: "/a b/|c"', 'value', 'layers.0.select', '/a b/'],
  ['layers:\n  - { select: a, weights: { gran| } }', 'key', 'layers.0.weights', 'gran'],
  ['preprocess: { resize: { mode: | } }', 'value', 'preprocess.resize.mode', ''],
];

describe('the place of the cursor', () => {
  for (const [text, kind, path, typed] of CASES) {
    test(JSON.stringify(text), () => {
      const found = at(text);
      assert.deepEqual([found?.kind, found?.path.join('.'), found?.typed], [kind, path, typed]);
    });
  }

  test('tells the keys that are there already, and replaces the whole word', () => {
    const text = 'calibration: { data: a, samp|les: 3, seed: 1 }';
    const found = at(text);
    assert.deepEqual(found?.siblings, ['data', 'seed']);
    assert.equal(text.replace('|', '').slice(found.span.start, found.span.end), 'samples');
  });

  test('is nowhere in a comment', () => {
    assert.equal(at('model: x # mo|'), undefined);
    assert.equal(at('# |'), undefined);
  });

  test('of any text is found or not, and its word is around it', () => {
    fc.assert(
      fc.property(yamlSoup(), fc.nat(60), (text, offset) => {
        const place = Math.min(offset, text.length);
        const found = cursorAt(text, place);
        if (found === undefined) return;
        assert.ok(found.span.start <= place && place <= found.span.end);
        assert.equal(found.typed, text.slice(found.span.start, place));
      }),
    );
  });
});
