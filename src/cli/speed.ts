/** Why int8 is slow, for people: the dearest layers in both models, and what stands out. */

import { microseconds, printable, quotient, times } from '../shared/format';
import { lossOf, type SlowFinding } from '../shared/slowness';
import type { LayerReport, Report } from '../shared/report';
import { operator, statusWord } from './layers';
import type { Style } from './style';
import { table, type Column } from './table';

const SHOWN = 12;

export function speedText({ layers, conversions }: Report, findings: readonly SlowFinding[], style: Style): string {
  const timed = layers.filter(({ time }) => time.int8 !== null || time.fp32 !== null);
  const dearest = timed.toSorted((a, b) => (b.time.int8 ?? 0) - (a.time.int8 ?? 0)).slice(0, SHOWN);
  const between = (side: 'int8' | 'fp32'): string => {
    const value = conversions?.[side] ?? null;
    return value === null ? 'not measured' : microseconds(value);
  };
  return [
    table(COLUMNS, dearest, style),
    style.dim(`conversions and other kernels of no layer: int8 ${between('int8')}, fp32 ${between('fp32')}`),
    findings.length === 0 ? 'Nothing stands out.' : findings.map((finding) => findingText(finding, style)).join('\n'),
  ].join('\n\n');
}

function findingText({ cause, message, fix }: SlowFinding, style: Style): string {
  return `${style.yellow(`! ${cause}`)} ${printable(message)}\n  ${printable(fix)}`;
}

const COLUMNS: readonly Column<LayerReport>[] = [
  { title: 'status', value: ({ status }) => statusWord(status) },
  { title: 'layer', value: ({ name }) => printable(name) },
  { title: 'operator', value: operator },
  { title: 'kernel', value: ({ kernel }) => (kernel === null ? undefined : printable(kernel)) },
  { title: 'int8', align: 'right', value: ({ time }) => (time.int8 === null ? undefined : microseconds(time.int8)) },
  { title: 'fp32', align: 'right', value: ({ time }) => (time.fp32 === null ? undefined : microseconds(time.fp32)) },
  {
    title: 'speed',
    align: 'right',
    value: ({ time }) =>
      time.int8 === null || time.fp32 === null || time.int8 === 0 ? undefined : times(quotient(time.fp32, time.int8)),
    paint: (layer, style) => (lossOf(layer) > 0 ? style.red : style.green),
  },
];
