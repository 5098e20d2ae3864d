/** Where the error of a model comes from: what a layer adds to it, of what kind, and what that makes of the layer. */

export const ERROR_SOURCES = [
  'weight-rounding',
  'weight-clipping',
  'activation-rounding',
  'activation-clipping',
  'bias',
  'kernel',
] as const;
export type ErrorSource = (typeof ERROR_SOURCES)[number];

/** The power of a layer's local error, split by what makes it. */
export interface ErrorSplit {
  /** Σe² / Σx²: SQNR = −10·log10(power). */
  readonly power: number;
  /** Σδᵢ·e / Σe², which sum to 1; negative where a source takes back what others do. */
  readonly shares: Readonly<Record<ErrorSource, number>>;
}
