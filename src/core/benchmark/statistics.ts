/** Order statistics of measured times. */

/**
 * Quantile of ascending numbers, linear between neighbours: NumPy's default, method 7 of Hyndman and
 * Fan, "Sample Quantiles in Statistical Packages", 1996.
 * @param q 0…1; NaN for no numbers at all
 */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  const place = q * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below] ?? NaN;
  const high = ascending[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - below);
}

export function median(values: Iterable<number>): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

export interface Summary {
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly min: number;
}

export function summarize(values: readonly number[]): Summary {
  const ascending = Float64Array.from(values).sort();
  return {
    median: quantile(ascending, 0.5),
    mean: values.reduce((a, b) => a + b, 0) / values.length,
    p95: quantile(ascending, 0.95),
    min: quantile(ascending, 0),
  };
}
