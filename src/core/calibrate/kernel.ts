/**
 * The two inner loops of calibration. They read floats as integers, for which order, sign and NaN
 * are plain comparisons: as signed numbers the positive floats sort upwards above all negative
 * ones; as unsigned numbers the negative floats sort above all positive ones, by magnitude.
 * `simd.ts` has the same loops for long arrays.
 */

/** Mantissa bits of a float32 that are not part of a key: ten bits stay. */
export const KEY_SHIFT = 13;
export const BINS_PER_OCTAVE = 1024;
export const OCTAVES = 16;
/** Slots of one sign. */
export const SIDE = OCTAVES * BINS_PER_OCTAVE;
/** From here on the magnitude bits are those of Infinity and NaN. */
export const INFINITY_BITS = 0x7f800000;
export const MAGNITUDE = 0x7fffffff;

/** The slots of the positive side, then those of the negative side if there is one. */
export type Counts = Uint32Array | Float64Array;

export interface Extremes {
  readonly min: number;
  readonly max: number;
  /** Magnitude bits of the value farthest from zero; NaN and ±Inf have the largest. */
  readonly largest: number;
}

const word = new Int32Array(1);
const asFloat = new Float32Array(word.buffer);

function floatOf(bits: number): number {
  word[0] = bits;
  // Turns -0 into 0.
  return asFloat[0]! + 0;
}

/** Extremes as floats from the extremes of the bits: the lowest and highest signed, the highest unsigned. */
export function extremesFrom(lowest: number, highest: number, highestUnsigned: number): Extremes {
  return {
    // With negatives, the lowest value is the one of the largest magnitude; without, the lowest bits.
    min: floatOf(lowest < 0 ? highestUnsigned : lowest),
    // Without positives, the highest value is the negative one of the smallest magnitude, which has the lowest bits.
    max: floatOf(highest >= 0 ? highest : lowest),
    largest: Math.max(highest, highestUnsigned & MAGNITUDE),
  };
}

/** Exact extremes of at least one float32, given as bits; `min` and `max` mean nothing where a value is not finite. */
export function extremesOf(bits: Int32Array): Extremes {
  let lowest = bits[0]!;
  let highest = lowest;
  // The sign bit flipped, a signed comparison orders as an unsigned one.
  let flipped = lowest ^ -0x80000000;
  for (let i = 1; i < bits.length; i++) {
    const value = bits[i]!;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
    if ((value ^ -0x80000000) > flipped) flipped = value ^ -0x80000000;
  }
  return extremesFrom(lowest, highest, flipped ^ -0x80000000);
}

/**
 * Counts every value in its slot: the key (exponent and ten bits of mantissa) less `base`, and 0
 * for what lies below. Negative values go to the second half of `counts` where it has one; without,
 * only -0 is negative. Keys must be below `base` + SIDE.
 */
export function accumulate(bits: Int32Array, counts: Counts, base: number): void {
  const negativeFrom = counts.length > SIDE ? SIDE : 0;
  for (const value of bits) {
    const slot = ((value & MAGNITUDE) >>> KEY_SHIFT) - base;
    // x & ~(x >> 31) is max(x, 0) without a branch.
    counts[(slot & ~(slot >> 31)) + ((value >> 31) & negativeFrom)]!++;
  }
}
