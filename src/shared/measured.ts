/** What comparing a tensor of two models came to: an error, no error, nothing to compare, or no comparison at all. Pure. */

import { decibels, NOTHING, number3 } from './format';

/**
 * Error of one tensor against fp32, pooled over all samples.
 * `sqnr` = 10·log10(Σx² / Σ(x−y)²) in dB; `null` means no error at all (infinite dB).
 */
export interface ErrorMeasure {
  readonly sqnr: number | null;
  /** Σxy / √(Σx²·Σy²) over all samples. */
  readonly cosine: number;
  /** The sample with the lowest SQNR of its own. */
  readonly worst: { readonly sample: string; readonly sqnr: number | null };
  /** Share of the values that were compared, 0…1; left out where all were. The others are not finite in fp32. */
  readonly share?: number;
}

export const INCOMPARABLE = {
  empty: 'it holds no values for any sample',
  'not-finite': 'fp32 holds NaN or infinities alone there',
} as const;

/** The models ran, and there was nothing to compare: neither an error nor its absence. It has no `sqnr`. */
export interface Incomparable {
  readonly incomparable: keyof typeof INCOMPARABLE;
}

/** What was tried to be measured; where it was not even tried, there is `null` in its place. */
export type Measured = ErrorMeasure | Incomparable;

/** The four as one value: dB, no error, nothing to compare, not measured. */
export type Decibels = number | 'exact' | 'incomparable' | null;

export function isIncomparable(measure: Measured | null | undefined): measure is Incomparable {
  return measure !== null && measure !== undefined && 'incomparable' in measure;
}

/** The error where there is one to speak of, even if it is none. */
export function comparedOf(measure: Measured | null | undefined): ErrorMeasure | null {
  return measure === null || measure === undefined || isIncomparable(measure) ? null : measure;
}

export function decibelsOf(measure: Measured | null | undefined): Decibels {
  if (isIncomparable(measure)) return 'incomparable';
  return measure === null || measure === undefined ? null : (measure.sqnr ?? 'exact');
}

/** For sorting and limits: `Infinity` for no error; `undefined` where no error is known. */
export function sqnrOf(measure: Measured | null | undefined): number | undefined {
  const error = comparedOf(measure);
  return error === null ? undefined : (error.sqnr ?? Infinity);
}

/** `17.2 dB`, `exact`, `not comparable`, `–`. */
export function decibelsText(value: Decibels): string {
  if (value === null) return NOTHING;
  return value === 'incomparable' ? 'not comparable' : decibels(value === 'exact' ? null : value);
}

export function measuredText(measure: Measured | null | undefined): string {
  return decibelsText(decibelsOf(measure));
}

/** `, of 12.5 % of its values`, where the others are not finite in fp32; else nothing. */
export function shareText({ share }: ErrorMeasure): string {
  return share === undefined ? '' : `, of ${number3(100 * share)} % of its values, the others not being finite in fp32`;
}

interface Output {
  readonly name: string;
  readonly error: Measured;
}

/** One sentence for each output of which nothing could be compared, or not all. */
export function outputWarnings(outputs: readonly Output[]): string[] {
  return outputs.flatMap(({ name, error }) => {
    if (isIncomparable(error))
      return [`Nothing of the output "${name}" could be compared: ${INCOMPARABLE[error.incomparable]}.`];
    return error.share === undefined ? [] : [`The error of the output "${name}" is that${shareText(error).slice(1)}.`];
  });
}
