import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layersFrom } from '../fixtures/layers';
import { layersCsv, textCell } from './csv';

/** A reader of RFC 4180 of its own. */
function parse(text: string): string[][] {
  const rows: string[][] = [[]];
  let [cell, quoted] = ['', false];
  for (let i = 0; i < text.length; i += 1) {
    const letter = text[i]!;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === ',') {
      rows.at(-1)!.push(cell);
      cell = '';
    } else if (letter === '\r' && text[i + 1] === '\n') {
      rows.at(-1)!.push(cell);
      rows.push([]);
      cell = '';
      i += 1;
    } else cell += letter;
  }
  assert.ok(!quoted && cell === '' && rows.at(-1)!.length === 0, 'the last line ends');
  return rows.slice(0, -1);
}

test('every name is one cell again, and never a formula', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 20 }), (names) => {
      const layers = layersFrom(names.map((name) => ({ name })));
      const [head, ...rows] = parse(layersCsv(layers, [...names.keys()]));
      assert.equal(rows.length, names.length);
      rows.forEach((row, i) => {
        assert.equal(row.length, head!.length);
        assert.ok(row[1] === names[i] || row[1] === `'${names[i]!}`);
        assert.ok(!/^\s*[=+\-@]/.test(row[1]!), row[1]);
      });
    }),
  );
  assert.equal(textCell('=HYPERLINK("x")'), `"'=HYPERLINK(""x"")"`);
});

test('what was not measured is empty, and no error is Infinity', () => {
  const layers = layersFrom([
    { local: 12.5, fp32: 3, int8: 2, macs: 40 },
    { local: 'exact', accumulated: null },
  ]);
  const [head = [], first = [], second = []] = parse(layersCsv(layers, [0, 1]));
  const at = (row: readonly string[], title: string): string | undefined => row[head.indexOf(title)];
  assert.equal(at(first, 'local SQNR (dB)'), '12.5');
  assert.equal(at(second, 'local SQNR (dB)'), 'Infinity');
  assert.equal(at(second, 'accumulated SQNR (dB)'), '');
  assert.equal(at(first, 'multiply-adds'), '40');
});

test('the rows are those that the table shows, in its order', () => {
  const layers = layersFrom([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
  assert.deepEqual(
    parse(layersCsv(layers, [2, 0]))
      .slice(1)
      .map(([index, name]) => [index, name]),
    [
      ['2', 'c'],
      ['0', 'a'],
    ],
  );
});

test('the run before and the verdicts have columns where there are any', () => {
  const plain = parse(layersCsv(layersFrom([{}]), [0]))[0]!;
  assert.ok(!plain.some((title) => /previous|verdict/.test(title)));
  const full = parse(layersCsv(layersFrom([{ verdict: 'culprit', share: 80, base: { local: 3 } }]), [0]));
  const row = Object.fromEntries(full[0]!.map((title, i) => [title, full[1]![i]]));
  assert.equal(row['previous local SQNR (dB)'], '3');
  assert.equal(row['verdict'], 'culprit');
  assert.equal(row['share of the output error (%)'], '80');
});
