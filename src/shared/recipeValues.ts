/** What a recipe may say, for those that cannot afford the schema: its library is larger than the extension. */

import type { Recipe } from './recipe';

export const OBSERVERS = ['min-max', 'moving-average', 'percentile', 'entropy', 'mse'] as const;
export type ObserverId = (typeof OBSERVERS)[number];

/** Levels worth trying of the percentile observer: one value in 100,000, 10,000 and 1,000 is left out. */
export const PERCENTILES = [99.999, 99.99, 99.9] as const;

/** The recipe's `weights` may be a bare type; this is the long form. */
export function weightOverride(value: Recipe['weights']): Exclude<NonNullable<Recipe['weights']>, string> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}
