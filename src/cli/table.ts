/** Aligned columns of text. */

import { NOTHING } from '../shared/format';
import type { Paint, Style } from './style';

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** `undefined` where something is missing, '' where nothing is to be said; a column of neither is left out. */
  readonly value: (row: Row) => string | undefined;
  readonly paint?: (row: Row, style: Style) => Paint | undefined;
}

const GAP = '  ';

/** One line a row under a line of titles; no line ends in blanks. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], style: Style): string {
  const shown = columns.flatMap((column) => {
    const cells = rows.map((row) => column.value(row));
    if (cells.every((cell) => cell === undefined || cell === '')) return [];
    const texts = cells.map((cell) => cell ?? NOTHING);
    const width = Math.max(length(column.title), ...texts.map(length));
    return [{ column, texts, width }];
  });
  const line = (cells: readonly (readonly [text: string, paint: Paint | undefined])[]): string =>
    cells
      .map(([text, paint], i) => {
        const { column, width } = shown[i]!;
        const blanks = ' '.repeat(width - length(text));
        const painted = paint === undefined ? text : paint(text);
        if (column.align === 'right') return blanks + painted;
        return i === shown.length - 1 ? painted : painted + blanks;
      })
      .join(GAP)
      .trimEnd();
  const head = line(shown.map(({ column }) => [column.title, style.dim]));
  const body = rows.map((row, r) => line(shown.map(({ column, texts }) => [texts[r]!, column.paint?.(row, style)])));
  return [head, ...body].join('\n');
}

/** Code points, which is what a terminal's columns are for all the names a model is likely to have. */
function length(text: string): number {
  return Array.from(text).length;
}

/** `label  value` lines with the values aligned; lines without a value are left out. */
export function facts(lines: readonly (readonly [label: string, value: string | undefined])[], style: Style): string {
  const present = lines.flatMap(([label, value]) => (value === undefined ? [] : [[label, value] as const]));
  const width = Math.max(0, ...present.map(([label]) => length(label)));
  return present
    .map(([label, value]) => `${style.dim(label)}${' '.repeat(width - length(label))}${GAP}${value}`)
    .join('\n');
}
