import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLAIN, styleFor } from './style';
import { facts, table, type Column } from './table';

interface Row {
  readonly name: string;
  readonly size: number | undefined;
  readonly note?: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'name', value: ({ name }) => name, paint: (_, style) => style.green },
  { title: 'size', align: 'right', value: ({ size }) => size?.toFixed(1) },
  { title: 'note', value: ({ note }) => note ?? '' },
];

describe('table', () => {
  test('aligns, right for numbers, and ends no line in blanks', () => {
    const rows: readonly Row[] = [
      { name: 'a', size: 1 },
      { name: 'longer', size: 123.4, note: 'big' },
      { name: 'é層', size: undefined },
    ];
    assert.equal(
      table(columns, rows, PLAIN),
      ['name     size  note', 'a         1.0', 'longer  123.4  big', 'é層          –'].join('\n'),
    );
  });

  test('leaves out a column that says nothing', () => {
    assert.equal(table(columns, [{ name: 'a', size: undefined }], PLAIN), 'name\na');
  });

  test('colour changes no column', () => {
    const rows: readonly Row[] = [
      { name: 'a', size: 1 },
      { name: 'bb', size: 22 },
    ];
    const coloured = table(columns, rows, styleFor(true, {}));
    assert.notEqual(coloured, table(columns, rows, PLAIN));
    assert.equal(coloured.replace(/\p{Cc}\[\d+m/gu, ''), table(columns, rows, PLAIN));
  });
});

describe('facts', () => {
  test('aligned, without those that are not known', () => {
    assert.equal(
      facts(
        [
          ['a', '1'],
          ['long', '2'],
          ['none', undefined],
        ],
        PLAIN,
      ),
      'a     1\nlong  2',
    );
  });
});

describe('style', () => {
  test('only for terminals, and NO_COLOR, if it is not empty, turns it off', () => {
    const on = (isTTY: boolean, env: Record<string, string>): boolean => styleFor(isTTY, env) !== PLAIN;
    assert.deepEqual(
      [
        on(true, {}),
        on(true, { NO_COLOR: '' }),
        on(true, { NO_COLOR: '0' }),
        on(true, { TERM: 'dumb' }),
        on(false, {}),
      ],
      [true, true, false, false, false],
    );
  });
});
