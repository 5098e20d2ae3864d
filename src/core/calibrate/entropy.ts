/**
 * The KL threshold of S. Migacz, "8-bit Inference with TensorRT" (GTC 2017): cut the histogram at
 * every candidate, give the cut-off mass to the last bin (P), spread what quantization to few levels
 * keeps evenly over the non-empty bins of each level (Q), take the cut with the smallest KL(P ‖ Q).
 *
 * Values near zero are left out, as NVIDIA's pytorch-quantization does: zero is exact in any range,
 * and behind a ReLU its bin would drown all others.
 */

import type { TensorStats } from './histogram';
import { BINS_PER_OCTAVE, SIDE } from './kernel';

/** Stands in for an empty bin of Q, as in MXNet's smoothing. */
const EPSILON = 1e-4;

/** Counts over |x| in bins of equal width, at least 1024 of them up to the largest value. */
interface LinearBins {
  readonly counts: Float64Array;
  readonly width: number;
}

/** Slots of the topmost octave are the widest, and those below nest in bins of that width: no count is split. */
function linearMagnitudes(stats: TensorStats): LinearBins {
  const { edges, positive, negative } = stats.bins();
  const width = (edges[SIDE]! - edges[SIDE - BINS_PER_OCTAVE]!) / BINS_PER_OCTAVE;
  const counts = new Float64Array(Math.floor(stats.absMax / width) + 1);
  for (let slot = 1; slot < SIDE; slot++) {
    const count = positive[slot]! + (negative?.[slot] ?? 0);
    if (count !== 0) counts[Math.floor(edges[slot]! / width)]! += count;
  }
  return { counts, width };
}

const xLogX = (x: number): number => (x > 0 ? x * Math.log(x) : 0);

/**
 * The threshold on |x| for `levels` levels; the largest magnitude where there are at least as many
 * levels as bins (16 bits: nothing to gain).
 *
 * KL = Σ p·log p - Σ p·log q. The first sum is a prefix sum. In the second all bins of a level share
 * q, and a level is one of few (start, width) pairs over all candidates, so its logarithm comes from
 * a table.
 */
export function entropyThreshold(stats: TensorStats, levels: number): number {
  const { counts, width } = linearMagnitudes(stats);
  const bins = counts.length;
  const mass = new Float64Array(bins + 1);
  const filled = new Float64Array(bins + 1);
  const plogp = new Float64Array(bins + 1);
  for (let k = 0; k < bins; k++) {
    mass[k + 1] = mass[k]! + counts[k]!;
    filled[k + 1] = filled[k]! + (counts[k]! > 0 ? 1 : 0);
    plogp[k + 1] = plogp[k]! + xLogX(counts[k]!);
  }
  const total = mass[bins]!;
  if (bins <= levels || total === 0) return stats.absMax;

  const widest = Math.ceil(bins / levels);
  /** For level [start, start + w): Σ p·log(mass / filled) at index start · (widest + 1) + w. */
  const plogq = new Float64Array(bins * (widest + 1));
  for (let start = 0; start < bins; start++) {
    for (let w = 1; w <= widest && start + w <= bins; w++) {
      const inside = mass[start + w]! - mass[start]!;
      if (inside > 0)
        plogq[start * (widest + 1) + w] = inside * Math.log(inside / (filled[start + w]! - filled[start]!));
    }
  }

  let best = Infinity;
  let threshold = stats.absMax;
  // From the widest down: of equal divergences the widest range wins.
  for (let cut = bins; cut >= levels; cut--) {
    const kept = mass[cut]!;
    if (kept === 0) break;
    const last = Math.floor(((levels - 1) * cut) / levels);
    let cross = 0;
    for (let level = 0, start = 0; level < levels - 1; level++) {
      const end = Math.floor(((level + 1) * cut) / levels);
      cross += plogq[start * (widest + 1) + end - start]!;
      start = end;
    }
    const outliers = total - kept;
    const edge = counts[cut - 1]! + outliers;
    const inside = kept - mass[last]!;
    // The cut-off mass makes the last bin of P non-empty even where the histogram was empty there.
    const occupied = filled[cut]! - filled[last]! + (counts[cut - 1] === 0 && outliers > 0 ? 1 : 0);
    if (occupied > 0) cross += (inside + outliers) * Math.log(Math.max(inside, EPSILON) / occupied);
    const own = plogp[cut - 1]! + xLogX(edge);
    // With P normalized by `total` and Q by `kept`.
    const divergence = (own - cross) / total - Math.log(total / kept);
    if (divergence < best) {
      best = divergence;
      threshold = cut === bins ? stats.absMax : cut * width;
    }
  }
  return threshold;
}
