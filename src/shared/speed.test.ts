import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { number3, sizeChange, speedChange } from './format';
import { speedBeside, speedText, speedVerdict, speedWords } from './speed';

const positive = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
const timed = (fp32: number, int8: number, width = 0.01) => {
  const ratio = fp32 / int8;
  return { fp32, int8, ratio, interval: { low: ratio * (1 - width), high: ratio * (1 + width) } };
};

describe('ratios', () => {
  test('are never below one, and follow from the figures as they are shown', () => {
    fc.assert(
      fc.property(positive, positive, (before, after) => {
        for (const text of [sizeChange(before, after), speedChange(before, after)]) {
          const found = /^([\d.]+)× (smaller|larger|as fast|slower)$/.exec(text);
          const shown = Number(before.toPrecision(3)) / Number(after.toPrecision(3));
          if (found === null)
            assert.ok(text === 'the same size' && number3(Math.max(shown, 1 / shown)) === '1.00', text);
          else {
            assert.ok(Number(found[1]) >= 1, text);
            assert.equal(found[1], number3(shown >= 1 ? shown : 1 / shown));
            assert.equal(/smaller|as fast/.test(text), shown >= 1 || found[1] === '1.00', text);
          }
        }
      }),
    );
  });

  test('as people say them', () => {
    assert.equal(sizeChange(100, 347), '3.47× larger');
    assert.equal(sizeChange(80_800, 23_300), '3.47× smaller');
    assert.equal(speedChange(16.3, 14.8), '1.10× as fast');
    assert.equal(speedChange(10, 14.2), '1.42× slower');
  });
});

describe('speed', () => {
  test('is told only where the interval leaves 1 out', () => {
    assert.equal(speedText(timed(16.3, 14.8)), '16.3 ms → 14.8 ms, 1.10× as fast');
    assert.equal(
      speedText(timed(16.3, 14.8, 0.2)),
      '16.3 ms → 14.8 ms, cannot be told apart on this machine (0.881 … 1.32×)',
    );
    assert.equal(speedBeside(timed(10, 14.2), 'fp32'), '1.42× slower than fp32');
    assert.equal(speedBeside(timed(14.2, 10), 'fp32'), '1.42× as fast as fp32');
    assert.equal(speedBeside(timed(10, 10.1, 0.2), 'fp32'), 'not to be told apart from fp32 on this machine');
    assert.equal(speedWords(timed(10, 10.1, 0.2)), 'speed not told apart');
  });

  test('of a report without an interval, a few percent are noise', () => {
    assert.deepEqual(
      [0.5, 0.97, 1, 1.03, 1.2].map((ratio) => speedVerdict({ ratio })),
      ['slower', 'same', 'same', 'same', 'faster'],
    );
  });
});

test('only format.ts writes a ratio', () => {
  const root = path.join(__dirname, '../..');
  const files = ['src', 'webview'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  );
  const sources = files.filter((file) => file.endsWith('.ts') && !/\.test\.ts$|generated|fixtures/.test(file));
  assert.ok(sources.length > 300);
  // A number that ends in × in a template, or a word for a change that is not behind one of the functions.
  const odd = sources.flatMap((file) =>
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .filter(
        (line) => !/^\s*(\/\*\*|\*|\/\/)/.test(line) && /\}×[` ]|× (smaller|larger|as fast|slower|faster)/.test(line),
      )
      .map((line) => `${file}: ${line.trim()}`),
  );
  const allowed = /shared[\\/]format\.ts|shared[\\/]speed\.ts/;
  assert.deepEqual(
    odd.filter((line) => !allowed.test(line)),
    [],
  );
});
