import * as path from 'node:path';
import { readReport } from '../../core/reportFile';
import { decibelsText } from '../../shared/measured';
import {
  compareReports,
  difference,
  type Comparison,
  type LayerComparison,
  type Pair,
  type Told,
} from '../../shared/comparison';
import { QuantscopeError } from '../../shared/errors';
import { bytes, microseconds, NOTHING, percent, plural, printable, signed, speedChange } from '../../shared/format';
import { defineCommand } from '../command';
import { STATUS_WORDS } from '../layers';
import { flag } from '../options';
import type { Style } from '../style';
import { facts, table, type Column } from '../table';
import { locateReport } from './shared';

export const compare = defineCommand({
  name: 'compare',
  summary: 'The difference of two reports, layer by layer.',
  usage: 'A B [--all] [--json]',
  positional: {
    placeholder: 'A B',
    many: true,
    help: 'Two report.json, the folders that hold them, or recipes that were run.',
  },
  options: { all: flag('Also the layers that are the same in both.') },
  run: async ({ files: [first, second, ...others], values }, { cwd }) => {
    if (second === undefined || others.length > 0) throw new QuantscopeError('usage', '`compare` needs two reports.');
    const read = async (file: string): ReturnType<typeof readReport> =>
      readReport((await locateReport(path.resolve(cwd, file), cwd)).report);
    const comparison = compareReports(await read(first), await read(second));
    return {
      json: comparison,
      text: (style) => comparisonText(comparison, values.all, style),
    };
  },
});

function comparisonText(comparison: Comparison, all: boolean, style: Style): string {
  const { layers, differences, outputs, top1, agreement, bytes: sizes, latencyRatio, counts } = comparison;
  const shown = all ? layers : layers.filter(({ change }) => change !== 'none');
  const same = layers.length - shown.length;
  const counted = (['quantized', 'float', 'fallback'] as const)
    .map((status) => `${STATUS_WORDS[status].word} ${counts[status].a} → ${counts[status].b}`)
    .join(', ');
  const strip = facts(
    [
      ...differences.map(({ what, a, b }) => [what, `${printable(a)} → ${printable(b)}`] as const),
      ['layers', `${counted}${same > 0 ? `; ${plural(same, 'layer')} the same` : ''}`],
      ...outputs.map(({ name, sqnr }) => [`output ${printable(name)}`, arrow(sqnr, decibelsText, 'dB')] as const),
      ['top-1', arrow(top1, percent, 'points')],
      ['same class', arrow(agreement, percent, 'points')],
      ['size', arrow(sizes, bytes)],
      ['speed', arrow(latencyRatio, (ratio) => speedChange(1, ratio))],
    ],
    style,
  );
  return [shown.length === 0 ? '' : table(COLUMNS, shown, style), strip].filter((part) => part !== '').join('\n\n');
}

const COLUMNS: readonly Column<LayerComparison>[] = [
  { title: 'change', value: ({ change }) => change },
  { title: 'layer', value: ({ name }) => printable(name) },
  { title: 'operator', value: ({ op }) => printable(op) },
  { title: 'status', value: ({ status }) => twoOf(status, (value) => STATUS_WORDS[value].word) },
  { title: 'kernel', value: ({ kernel }) => twoOf(kernel, printable) },
  { title: 'local SQNR', align: 'right', value: ({ local }) => twoOf(local, decibelsText) },
  {
    title: 'Δ',
    align: 'right',
    value: ({ local }) => delta(local),
    paint: ({ local }, style) => paintOf(local, style),
  },
  { title: 'accumulated', align: 'right', value: ({ accumulated }) => twoOf(accumulated, decibelsText) },
  {
    title: 'Δ',
    align: 'right',
    value: ({ accumulated }) => delta(accumulated),
    paint: ({ accumulated }, style) => paintOf(accumulated, style),
  },
  { title: 'int8 time', align: 'right', value: ({ time }) => twoOf(time, microseconds) },
];

/** One value where both are the same, else both. */
function twoOf<T>({ a, b }: Pair<T>, text: (value: T) => string): string | undefined {
  if (a === null && b === null) return undefined;
  const [first, second] = [a, b].map((value) => (value === null ? NOTHING : text(value)));
  return first === second ? first : `${first} → ${second}`;
}

function delta(pair: Pair<Told>): string | undefined {
  const change = difference(pair);
  return change === null || !Number.isFinite(change) ? undefined : signed(change);
}

function paintOf(pair: Pair<Told>, style: Style): Style['green'] | undefined {
  const change = difference(pair) ?? 0;
  return change === 0 ? undefined : change > 0 ? style.green : style.red;
}

/** `a → b (+1.2 dB)` */
function arrow<T extends Told>(pair: Pair<T>, text: (value: T) => string, unit?: string): string | undefined {
  const both = twoOf(pair, text);
  const change = difference(pair);
  if (unit === undefined || change === null || change === 0 || !Number.isFinite(change)) return both;
  return `${both} (${signed(change)} ${unit})`;
}
