/** Confidence intervals of paired measurements. */

import type { Difference } from '../../shared/price';
import { quantile } from './statistics';

const RESAMPLES = 1_000;
const LEVEL = 0.95;

/** A generator of its own, so that the same measurements give the same interval (mulberry32, public domain, T. Ettinger). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The percentile bootstrap of Efron 1979: `statistic` of n items drawn with replacement from `n`, many times.
 * @param statistic of the items with these indices; values that are not finite are left out
 */
export function bootstrap(n: number, statistic: (indices: Int32Array) => number, seed: number): Difference {
  const all = Int32Array.from({ length: n }, (_, i) => i);
  const value = statistic(all);
  const next = random(seed);
  const drawn = new Int32Array(n);
  const found: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    for (let j = 0; j < n; j++) drawn[j] = Math.floor(next() * n);
    const resampled = statistic(drawn);
    if (Number.isFinite(resampled)) found.push(resampled);
  }
  const sorted = Float64Array.from(found).sort();
  if (sorted.length === 0) return { value, low: value, high: value };
  const tail = (1 - LEVEL) / 2;
  return { value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/**
 * Difference of two shares over the same samples, in points. Where hardly any sample changes sides the
 * bootstrap's interval has no width, so this is the score interval of Agresti and Min 2005 for matched
 * pairs: half a discordant pair is added to either side.
 * @param before, after 0 or 1 for each sample
 */
export function pairedShare(before: ArrayLike<number>, after: ArrayLike<number>): Difference {
  const n = before.length;
  let [gained, lost] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (after[i]! > before[i]!) gained++;
    if (after[i]! < before[i]!) lost++;
  }
  const value = n === 0 ? 0 : (100 * (gained - lost)) / n;
  const [g, l, m] = [gained + 0.5, lost + 0.5, n + 2];
  const middle = (g - l) / m;
  const error = Math.sqrt(Math.max(0, (g + l) / m - middle * middle) / m);
  const wide = 1.96 * error;
  return { value, low: Math.min(value, 100 * (middle - wide)), high: Math.max(value, 100 * (middle + wide)) };
}
