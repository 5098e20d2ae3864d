/** Layers for people: the table, how it is sorted, and why layers are not in int8. */

import { REASONS, type ReasonCode } from '../shared/reasons';
import type { LayerReport, Report, Status } from '../shared/report';
import { microseconds, percent, plural, printable } from '../shared/format';
import { kernelName } from '../shared/reportText';
import type { Paint, Style } from './style';
import { table, type Column } from './table';
import { measuredText } from '../shared/measured';

export const STATUSES = ['quantized', 'float', 'fallback'] as const satisfies readonly Status[];

interface StatusWord {
  readonly symbol: string;
  readonly word: string;
  readonly paint: (style: Style) => Paint;
}

/** Symbol and word both, since colours and shapes are not seen by everybody. */
export const STATUS_WORDS: Readonly<Record<Status, StatusWord>> = {
  quantized: { symbol: '■', word: 'int8', paint: (style) => style.green },
  float: { symbol: '○', word: 'float', paint: (style) => style.dim },
  fallback: { symbol: '▲', word: 'fallback', paint: (style) => style.yellow },
};

export function statusWord(status: Status): string {
  const { symbol, word } = STATUS_WORDS[status];
  return `${symbol} ${word}`;
}

/** `Conv+Relu` */
export function operator(layer: { readonly op: string; readonly fused: readonly string[] }): string {
  return printable([layer.op, ...layer.fused].join('+'));
}

const COLUMNS: readonly Column<LayerReport>[] = [
  {
    title: 'status',
    value: ({ status }) => statusWord(status),
    paint: ({ status }, style) => STATUS_WORDS[status].paint(style),
  },
  { title: 'layer', value: ({ name }) => printable(name) },
  { title: 'operator', value: operator },
  {
    title: 'kernel',
    value: (layer) => {
      const kernel = kernelName(layer);
      return kernel === null ? undefined : printable(kernel);
    },
  },
  { title: 'local SQNR', align: 'right', value: ({ local }) => (local === null ? undefined : measuredText(local)) },
  {
    title: 'accumulated',
    align: 'right',
    value: ({ accumulated }) => (accumulated === null ? undefined : measuredText(accumulated)),
  },
  {
    title: 'clipped',
    align: 'right',
    value: ({ saturation }) => (saturation === null ? undefined : share(saturation)),
  },
  { title: 'int8 time', align: 'right', value: ({ time }) => timeOf(time.int8) },
  { title: 'fp32 time', align: 'right', value: ({ time }) => timeOf(time.fp32) },
  { title: 'why not int8', value: ({ reason }) => reason ?? '' },
];

/** Of so few products nobody needs three digits. */
const FEW = 1e-4;

function share(value: number): string {
  return value > 0 && value < FEW ? '< 0.01 %' : percent(100 * value);
}

function timeOf(time: number | null): string | undefined {
  return time === null ? undefined : microseconds(time);
}

export function layerTable(layers: readonly LayerReport[], style: Style): string {
  return layers.length === 0 ? 'No layers.' : table(COLUMNS, layers, style);
}

/** Every reason that occurs, with its sentence, what to do, and how many layers it concerns. */
export function reasonLegend(layers: readonly { readonly reason: ReasonCode | null }[], style: Style): string {
  const counts = new Map<ReasonCode, number>();
  for (const { reason } of layers) if (reason !== null) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const lines = [...counts].map(([reason, n]) => {
    const { sentence, advice } = REASONS[reason];
    return `  ${style.bold(reason)} (${plural(n, 'layer')}): ${sentence} ${style.dim(advice)}`;
  });
  return lines.length === 0 ? '' : [style.dim('Why not int8'), ...lines].join('\n');
}

/** `■ 26 int8  ○ 40 float  ▲ 0 fallback  and 12 shape computations` */
export function countStrip(
  { counts, shapeComputations = 0 }: Pick<Report, 'counts' | 'shapeComputations'>,
  style: Style,
): string {
  const strip = STATUSES.map((status) => {
    const { symbol, word, paint } = STATUS_WORDS[status];
    return paint(style)(`${symbol} ${counts[status]} ${word}`);
  });
  if (shapeComputations > 0) strip.push(style.dim(`and ${plural(shapeComputations, 'shape computation')}`));
  return strip.join('   ');
}
