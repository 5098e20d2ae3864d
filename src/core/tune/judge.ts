/** Which of two recipes is better for a goal. Pure. */

import type { TuneGoal, TunePoint } from '../../shared/tuning';

/** Points of top-1 that are lost against fp32; of agreement where there are no labels; `null` without either. */
export function dropOf(
  { top1, agreement }: Pick<TunePoint, 'top1' | 'agreement'>,
  top1Fp32: number | null,
): number | null {
  if (top1 !== null && top1Fp32 !== null) return top1Fp32 - top1;
  return agreement === null ? null : 100 - agreement;
}

/** Percentages differ by rounding noise. */
const NOISE = 1e-9;

/** By how much a point misses the goal, 0 where it holds it; each part relative to its own limit. */
export function missing(point: Omit<TunePoint, 'reached'>, goal: TuneGoal, top1Fp32: number | null): number {
  const { maxDrop, minSqnr, maxLatencyRatio } = goal;
  let total = 0;
  if (maxDrop !== undefined) {
    const drop = dropOf(point, top1Fp32);
    total += drop === null ? 1 : Math.max(0, drop - maxDrop - NOISE) / Math.max(1, maxDrop);
  }
  if (minSqnr !== undefined) {
    const sqnr = point.sqnr ?? Infinity;
    total += Math.max(0, minSqnr - sqnr) / Math.max(1, Math.abs(minSqnr));
  }
  if (maxLatencyRatio !== undefined) {
    const ratio = point.latencyRatio;
    total += ratio === null ? 1 : Math.max(0, ratio - maxLatencyRatio) / maxLatencyRatio;
  }
  return total;
}

/** Which parts of the goal a point misses. */
export function lacksOf(
  point: Omit<TunePoint, 'reached'>,
  goal: TuneGoal,
  top1Fp32: number | null,
): { readonly error: boolean; readonly time: boolean } {
  const { maxLatencyRatio, ...quality } = goal;
  const speed = maxLatencyRatio === undefined ? {} : { maxLatencyRatio };
  return { error: missing(point, quality, top1Fp32) > 0, time: missing(point, speed, top1Fp32) > 0 };
}

/** Nearer to the goal is better; then more in int8; then fewer changes; then fewer errors. */
export function isBetter(a: TunePoint, b: TunePoint, goal: TuneGoal, top1Fp32: number | null): boolean {
  const [missA, missB] = [missing(a, goal, top1Fp32), missing(b, goal, top1Fp32)];
  if (missA !== missB) return missA < missB;
  if (a.macs !== b.macs) return a.macs > b.macs;
  if (a.changes.length !== b.changes.length) return a.changes.length < b.changes.length;
  return (a.sqnr ?? Infinity) > (b.sqnr ?? Infinity);
}
