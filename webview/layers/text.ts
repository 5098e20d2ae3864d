/** Numbers and words of the view: three significant digits, a unit, a sign for changes. Pure. */

import { decibels, microseconds, NOTHING, printable } from '../../src/shared/format';
import type { Status } from '../../src/shared/report';
import { decibelsText, type Decibels } from '../../src/shared/measured';
import type { Layers } from './layers';
import { shareText } from './verdicts';

export interface StatusSign {
  readonly symbol: string;
  readonly word: string;
}

/** Shape and word both, since colours are not seen by everybody. */
export const STATUS_SIGNS: Readonly<Record<Status, StatusSign>> = {
  quantized: { symbol: '■', word: 'int8' },
  float: { symbol: '○', word: 'float' },
  fallback: { symbol: '▲', word: 'fallback' },
};

/** `17.2 dB`; `exact` for no error; a dash where nothing was measured. */
export function dB(value: number): string {
  return Number.isNaN(value) ? NOTHING : decibels(value === Infinity ? null : value);
}

/** In a column that has its unit in the head. */
export function bareDB(value: number): string {
  if (Number.isNaN(value)) return NOTHING;
  return value === Infinity ? 'exact' : fixed(value);
}

/** For arithmetic, in which what could not be compared is as little as what was not measured. */
export function fromDecibels(value: Decibels): number {
  return value === 'exact' ? Infinity : typeof value === 'number' ? value : NaN;
}

/** {@link dB} of a layer, or that nothing could be compared. */
export function errorText(layers: Layers, measure: 'local' | 'accumulated', layer: number): string {
  return layers.incomparable[measure].has(layer) ? decibelsText('incomparable') : dB(layers[measure][layer]!);
}

/** One decimal: three digits of the decibels that occur, and columns whose points stand below each other. */
function fixed(value: number): string {
  return value.toFixed(1).replace('-', '−');
}

/** A change of decibels. */
export function changeDB(value: number): string {
  if (Number.isNaN(value)) return '';
  if (!Number.isFinite(value)) return value > 0 ? '+∞' : '−∞';
  const text = fixed(value);
  if (/^−?0\.0$/.test(text)) return '±0';
  return value > 0 ? `+${text}` : text;
}

export function time(value: number): string {
  return Number.isNaN(value) ? NOTHING : microseconds(value);
}

const AGES = [
  [86_400 * 365, 'year'],
  [86_400 * 30, 'month'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** `3 minutes ago`, `just now`. */
export function age(created: Date, now: Date): string {
  const seconds = (now.getTime() - created.getTime()) / 1e3;
  const [size, unit] = AGES.find(([candidate]) => seconds >= candidate) ?? [1, 'second'];
  const count = Math.floor(seconds / size);
  if (Number.isNaN(count) || seconds < 5) return 'just now';
  return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
}

/** What a screen reader says of a layer: `Conv_8, Conv+Relu, int8, SQNR 12.0 dB, accumulated 11.2 dB, 3 of 21 worst`. */
export function announcement(layers: Layers, layer: number): string {
  const local = errorText(layers, 'local', layer);
  const accumulated = errorText(layers, 'accumulated', layer);
  const rank = layers.rank[layer]!;
  const verdict = layers.blame?.verdict[layer] ?? null;
  return [
    printable(layers.name[layer]!),
    layers.op[layer]!,
    STATUS_SIGNS[layers.status[layer]!].word,
    ...(local === NOTHING ? [] : [`SQNR ${local}`]),
    ...(accumulated === NOTHING ? [] : [`accumulated ${accumulated}`]),
    ...(verdict === null ? [] : [`${verdict}, ${shareText(layers.blame?.share[layer] ?? NaN)} of the error`]),
    ...(rank === -1 ? [] : [`${rank + 1} of ${layers.ranked} worst`]),
  ].join(', ');
}
