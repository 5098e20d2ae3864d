/** What a recipe may say, for those that cannot afford the schema: its library is larger than the extension. */

import type { Recipe } from './recipe';

export const OBSERVERS = ['min-max', 'moving-average', 'percentile', 'entropy', 'mse'] as const;
export type ObserverId = (typeof OBSERVERS)[number];

/** The recipe's `weights` may be a bare type; this is the long form. */
export function weightOverride(value: Recipe['weights']): Exclude<NonNullable<Recipe['weights']>, string> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}
