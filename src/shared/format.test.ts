import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bytes,
  count,
  decibels,
  microseconds,
  number3,
  percent,
  plural,
  printable,
  seconds,
  shape,
  signed,
} from './format';

describe('numbers', () => {
  test('three significant digits, no exponent', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0'],
      [1, '1.00'],
      [9.999, '10.0'],
      [99.96, '100'],
      [61.2345, '61.2'],
      [1234.5, '1230'],
      [0.000123456, '0.000123'],
      [-7.516, '−7.52'],
      [Infinity, 'Infinity'],
    ];
    for (const [value, expected] of cases) assert.equal(number3(value), expected);
  });

  test('is never further from the value than half of its third digit', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1e12, noNaN: true }), (value) => {
        const text = number3(value);
        assert.match(text, /^\d+(\.\d+)?$/);
        assert.ok(Math.abs(Number(text) - value) <= value * 0.00501, text);
      }),
    );
  });

  test('units fit the number, after rounding', () => {
    assert.deepEqual([0, 10, 999, 1000, 1500, 4.96e6, 2.5e10].map(bytes), [
      '0 B',
      '10 B',
      '999 B',
      '1.00 kB',
      '1.50 kB',
      '4.96 MB',
      '25.0 GB',
    ]);
    assert.deepEqual([1.5, 0.0123, 2e-6, 75].map(seconds), ['1.50 s', '12.3 ms', '2.00 µs', '75.0 s']);
    assert.deepEqual([microseconds(1120), count(627_200), count(5)], ['1.12 ms', '627 k', '5']);
    assert.deepEqual(
      [percent(61.23), decibels(32.14), decibels(null), signed(0.4), signed(-0.4), signed(0)],
      ['61.2 %', '32.1 dB', 'exact', '+0.400', '−0.400', '±0'],
    );
  });

  test('shapes and plurals', () => {
    assert.deepEqual(
      [shape([1, 'N', 3]), shape([]), plural(1, 'layer'), plural(0, 'layer')],
      ['1×N×3', 'scalar', '1 layer', '0 layers'],
    );
  });
});

describe('names', () => {
  test('cannot move the cursor, colour or turn the text round', () => {
    assert.equal(printable('a\u001b[2Jb\r\n\u202Ec\u0007'), 'a\\u001b[2Jb\\u000d\\u000a\\u202ec\\u0007');
    assert.equal(printable('/layer.1/Conv[0] é 層 🙂'), '/layer.1/Conv[0] é 層 🙂');
  });
});
