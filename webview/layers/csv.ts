/** The table as CSV (RFC 4180). Pure. */

import { decibelsText } from '../../src/shared/measured';
import type { Layers } from './layers';

/** Spreadsheets run a cell that starts so as a formula (https://owasp.org/www-community/attacks/CSV_Injection). */
const FORMULA = /^[=+\-@\t\r]/;

/** A name out of a model as one cell: never a formula, quoted where it must be. */
export function textCell(text: string): string {
  const harmless = FORMULA.test(text.trimStart()) || FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Empty where nothing was measured; `Infinity` for no error. */
function numberCell(value: number): string {
  return Number.isNaN(value) ? '' : String(value);
}

/** `not comparable` where there was nothing to compare. */
function errorCell(layers: Layers, measure: 'local' | 'accumulated', layer: number): string {
  return layers.incomparable[measure].has(layer) ? decibelsText('incomparable') : numberCell(layers[measure][layer]!);
}

type Cell = (layers: Layers, layer: number) => string;

const COLUMNS: readonly (readonly [title: string, cell: Cell])[] = [
  ['index', (_, layer) => String(layer)],
  ['layer', ({ name }, layer) => textCell(name[layer]!)],
  ['operator', ({ op }, layer) => textCell(op[layer]!)],
  ['status', ({ status }, layer) => status[layer]!],
  ['reason', ({ reason }, layer) => reason[layer] ?? ''],
  ['kernel', ({ kernel }, layer) => textCell(kernel[layer] ?? '')],
  ['local SQNR (dB)', (layers, layer) => errorCell(layers, 'local', layer)],
  ['accumulated SQNR (dB)', (layers, layer) => errorCell(layers, 'accumulated', layer)],
  ['fp32 time (us)', ({ fp32 }, layer) => numberCell(fp32[layer]!)],
  ['int8 time (us)', ({ int8 }, layer) => numberCell(int8[layer]!)],
  ['multiply-adds', ({ macs }, layer) => String(macs[layer]!)],
];

const COMPARED: typeof COLUMNS = [
  ['previous local SQNR (dB)', ({ base }, layer) => numberCell(base?.local[layer] ?? NaN)],
  ['previous accumulated SQNR (dB)', ({ base }, layer) => numberCell(base?.accumulated[layer] ?? NaN)],
];

const BLAMED: typeof COLUMNS = [
  ['verdict', ({ blame }, layer) => blame?.verdict[layer] ?? ''],
  ['share of the output error (%)', ({ blame }, layer) => numberCell(blame?.share[layer] ?? NaN)],
  ['output SQNR with only it in int8 (dB)', ({ blame }, layer) => numberCell(blame?.only[layer] ?? NaN)],
];

/** The layers in the given order. */
export function layersCsv(layers: Layers, order: readonly number[]): string {
  const columns = [...COLUMNS, ...(layers.base === null ? [] : COMPARED), ...(layers.blame === null ? [] : BLAMED)];
  const head = columns.map(([title]) => textCell(title)).join(',');
  const rows = order.map((layer) => columns.map(([, cell]) => cell(layers, layer)).join(','));
  return `${[head, ...rows].join('\r\n')}\r\n`;
}
