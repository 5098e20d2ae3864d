/** Numbers with three significant digits and a unit that fits them; names made safe to print. */

/** For what was not measured. */
export const NOTHING = '–';

/** Three significant digits without exponent; digits left of the point are all kept. */
export function number3(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return value === 0 ? '0' : String(value);
  const rounded = Number(value.toPrecision(3));
  const magnitude = Math.floor(Math.log10(Math.abs(rounded)));
  const minus = rounded < 0 ? '−' : '';
  return minus + Math.abs(rounded).toFixed(Math.min(20, Math.max(0, 2 - magnitude)));
}

type Scale = readonly (readonly [factor: number, unit: string])[];

const SIZES: Scale = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
  [1, 'B'],
];
const TIMES: Scale = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
];
const COUNTS: Scale = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
  [1, ''],
];

/** The largest unit of which there is at least one after rounding. */
function scaled(value: number, scale: Scale, space = ' '): string {
  const smallest = scale.at(-1)!;
  const size = Math.abs(Number(value.toPrecision(3)));
  const [factor, unit] = scale.find(([candidate]) => size >= candidate) ?? smallest;
  return `${number3(value / factor)}${unit === '' ? '' : space}${unit}`;
}

/** Whole things are not counted in hundredths. */
function whole(value: number, scale: Scale, space?: string): string {
  const text = scaled(value, scale, space);
  return value < 1e3 ? text.replace(/\.\d+/, '') : text;
}

export function bytes(value: number): string {
  return whole(Math.round(value), SIZES);
}

export function seconds(value: number): string {
  return scaled(value, TIMES);
}

export function milliseconds(value: number): string {
  return seconds(value / 1e3);
}

export function microseconds(value: number): string {
  return seconds(value / 1e6);
}

export function count(value: number): string {
  return whole(Math.round(value), COUNTS, '');
}

export function percent(value: number): string {
  return `${number3(value)} %`;
}

/** `null` is no error at all. */
export function decibels(value: number | null): string {
  return value === null ? 'exact' : `${number3(value)} dB`;
}

/** A figure as it is shown: what follows from two figures follows from these. */
function shown(value: number): number {
  return Number(value.toPrecision(3));
}

/** How many times as much one figure is as the other, both as they are shown. */
export function quotient(value: number, other: number): number {
  return shown(value) / shown(other);
}

/** `2.30×` */
export function times(ratio: number): string {
  return `${number3(ratio)}×`;
}

/** Never a factor below one: what is smaller than that is the other way round. */
function factor(ratio: number, more: string, less: string, same: string): string {
  if (!(ratio > 0) || !Number.isFinite(ratio)) return NOTHING;
  const [text, word] = ratio >= 1 ? [times(ratio), more] : [times(1 / ratio), less];
  return text === times(1) ? same : `${text} ${word}`;
}

/** `2.30× smaller`, `3.47× larger`: of the bytes before and after. */
export function sizeChange(before: number, after: number): string {
  return factor(quotient(before, after), 'smaller', 'larger', 'the same size');
}

/** `1.80× as fast`, `1.42× slower`: of the time before and after. */
export function speedChange(before: number, after: number): string {
  return factor(quotient(before, after), 'as fast', 'slower', '1.00× as fast');
}

/** A difference with its sign. */
export function signed(value: number): string {
  const text = number3(value);
  return value > 0 ? `+${text}` : value === 0 ? `±${text}` : text;
}

/** Where the middle is the least telling part of a path, leave that out. */
export function shorten(name: string, most: number): string {
  const letters = Array.from(name);
  if (letters.length <= most) return name;
  const tail = Math.ceil((most - 1) * 0.6);
  return `${letters.slice(0, most - 1 - tail).join('')}…${letters.slice(letters.length - tail).join('')}`;
}

export function shape(dims: readonly (number | string)[]): string {
  return dims.length === 0 ? 'scalar' : dims.map((dim) => printable(String(dim))).join('×');
}

/** `1 layer`, `2 layers`. */
export function plural(value: number, noun: string, nouns = `${noun}s`): string {
  return `${value} ${value === 1 ? noun : nouns}`;
}

/** A model's names are an attacker's: control and direction characters would rewrite the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** {@link printable} of every line. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
