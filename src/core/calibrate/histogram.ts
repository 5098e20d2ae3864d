/**
 * One tensor's statistics from one streaming pass.
 *
 * The histogram is keyed by the leading bits of the float itself: sign, exponent and ten bits of
 * the mantissa. So every octave has 1024 bins, nothing depends on a width chosen beforehand, and
 * two histograms merge exactly, in any order: a key means the same interval in both. Sixteen
 * octaves below the largest magnitude are kept; what lies lower (below 2^-15 of it) is smaller than
 * a step of any 8-bit range and shares one slot with the exact zeros. A single outlier therefore
 * does not cost the bulk of the values their resolution, as it does with bins of equal width.
 */

import { QuantscopeError } from '../../shared/errors';
import { ByteReader, ByteWriter } from './bytes';
import {
  accumulate,
  BINS_PER_OCTAVE,
  extremesOf,
  INFINITY_BITS,
  KEY_SHIFT,
  MAGNITUDE,
  OCTAVES,
  SIDE,
  type Counts,
} from './kernel';
import { CHUNK, SimdKernel } from './simd';

/** The window never reaches the subnormals, which would not have a leading bit. */
const LOWEST_TOP = OCTAVES;
/** torch.ao.quantization MovingAverageMinMaxObserver: averaging_constant. */
const AVERAGING_CONSTANT = Math.fround(0.01);
/** From here on a slot could overflow 32 bits. */
const WIDE_FROM = 2 ** 32;
const NO_SAMPLE = -1;
/** Measured: below a thousand values, copying the counts costs more than counting with vectors saves. */
const VECTORS_FROM = 2048;

const simd = SimdKernel.create();

/** The smallest and the largest value of one sample. */
interface Extent {
  min: number;
  max: number;
}

interface State {
  count: number;
  nonFinite: number;
  samples: number;
  min: number;
  max: number;
  minSample: number;
  maxSample: number;
  firstMin: number;
  firstMax: number;
  movingMin: number;
  movingMax: number;
  /** Biased exponent of the topmost octave; 0 while nothing was seen. */
  top: number;
}

/** The counts over magnitudes, separately by sign. `edges[k]` to `edges[k + 1]` is slot k; slot 0 starts at 0. */
export interface Bins {
  readonly edges: Float64Array;
  readonly positive: Counts;
  /** Absent where no value was below 0. */
  readonly negative: Counts | undefined;
}

const bitsScratch = new Float32Array(1);
const bitsView = new Int32Array(bitsScratch.buffer);

function bitsOf(magnitude: number): number {
  bitsScratch[0] = magnitude;
  return bitsView[0]!;
}

const emptyState = (): State => ({
  count: 0,
  nonFinite: 0,
  samples: 0,
  min: Infinity,
  max: -Infinity,
  minSample: NO_SAMPLE,
  maxSample: NO_SAMPLE,
  firstMin: 0,
  firstMax: 0,
  movingMin: 0,
  movingMax: 0,
  top: 0,
});

/** In float32 at every step, as torch computes it; but where the difference overflows, torch's average is lost. */
function towards(average: number, value: number): number {
  const rounded = Math.fround(value - average);
  const difference = Number.isFinite(rounded) ? rounded : value - average;
  return Math.fround(average + Math.fround(AVERAGING_CONSTANT * difference));
}

/**
 * Streaming statistics of one tensor. Memory is constant: 64 KB, or 128 KB once a negative value was
 * seen. Everything but the moving average is independent of the order of samples.
 */
export class TensorStats {
  readonly #state = emptyState();
  #counts: Counts = new Uint32Array(0);

  /** Finite values counted. */
  get count(): number {
    return this.#state.count;
  }
  /** NaN and ±Inf seen; they enter no other figure. */
  get nonFinite(): number {
    return this.#state.nonFinite;
  }
  /** Samples that held at least one finite value. */
  get samples(): number {
    return this.#state.samples;
  }
  /** Exact smallest value; +Infinity while empty. */
  get min(): number {
    return this.#state.min;
  }
  /** Exact largest value; -Infinity while empty. */
  get max(): number {
    return this.#state.max;
  }
  /** The first sample by index that holds `min`; -1 while empty. */
  get minSample(): number {
    return this.#state.minSample;
  }
  get maxSample(): number {
    return this.#state.maxSample;
  }
  /** torch's MovingAverageMinMaxObserver, one step per sample, c = 0.01. Depends on the order of samples. */
  get movingMin(): number {
    return this.#state.movingMin;
  }
  get movingMax(): number {
    return this.#state.movingMax;
  }
  /** max |x|; 0 while empty. */
  get absMax(): number {
    return this.count === 0 ? 0 : Math.max(-this.min, this.max);
  }
  /** Values of slot 0: the zeros, and what is too small against `absMax` (below 2^-15 of it) to matter. */
  get nearZero(): number {
    return this.#counts[0] ?? 0;
  }
  /** Σx, from the histogram (relative error of a value at most 2^-11), so independent of the order. */
  get sum(): number {
    return this.#moment((x) => x, -1);
  }
  /** Σx², from the histogram. */
  get sumSquares(): number {
    return this.#moment((x) => x * x, 1);
  }

  /** Adds one sample's values; `sample` is its index in the data set. */
  observe(values: Float32Array, sample: number): void {
    const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
    const seen: Extent = { min: Infinity, max: -Infinity };
    let rest = bits;
    if (simd !== undefined && bits.length >= VECTORS_FROM && this.count + bits.length < WIDE_FROM) {
      const whole = bits.length & ~3;
      this.#countVectors(simd, bits.subarray(0, whole), seen);
      rest = bits.subarray(whole);
    }
    if (rest.length > 0) this.#count(rest, seen);
    if (seen.min > seen.max) return;
    this.#joinZeros();
    this.#addExtremes(seen, sample);
  }

  /**
   * Adds what `other` saw, as if its samples had followed: exact in every figure but the moving
   * average, which is exact up to rounding.
   */
  merge(other: TensorStats): void {
    const [a, b] = [this.#state, other.#state];
    a.nonFinite += b.nonFinite;
    if (b.samples === 0) return;
    this.#ensure(b.top, other.#counts.length > SIDE, b.count);
    const shift = (a.top - b.top) * BINS_PER_OCTAVE;
    for (let start = 0; start < other.#counts.length; start += SIDE) {
      for (let slot = 0; slot < SIDE; slot++) {
        this.#counts[start + Math.max(0, slot - shift)]! += other.#counts[start + slot]!;
      }
    }
    this.#joinZeros();
    a.count += b.count;
    if (b.min < a.min || (b.min === a.min && b.minSample < a.minSample)) [a.min, a.minSample] = [b.min, b.minSample];
    if (b.max > a.max || (b.max === a.max && b.maxSample < a.maxSample)) [a.max, a.maxSample] = [b.max, b.maxSample];
    if (a.samples === 0) {
      [a.firstMin, a.firstMax, a.movingMin, a.movingMax] = [b.firstMin, b.firstMax, b.movingMin, b.movingMax];
    } else {
      // b started at its first sample where it should have moved towards it from a's average; both
      // recursions are affine with the same factor, so the difference shrinks by it at every step.
      const kept = (1 - AVERAGING_CONSTANT) ** b.samples;
      // b's own steps were rounded, so the sum may lie some roundings outside of what was seen.
      a.movingMin = Math.max(a.min, Math.fround(b.movingMin + kept * (a.movingMin - b.firstMin)));
      a.movingMax = Math.min(a.max, Math.fround(b.movingMax + kept * (a.movingMax - b.firstMax)));
    }
    a.samples += b.samples;
  }

  /**
   * Statistics of a tensor that holds in every sample just the values of these tensors together, such
   * as their Concat. Exact but for the moving average, which becomes the widest of theirs.
   */
  static together(parts: readonly TensorStats[]): TensorStats {
    const all = new TensorStats();
    for (const part of parts) all.merge(part);
    const seen = parts.filter((part) => part.samples > 0);
    if (seen.length === 0) return all;
    all.#state.samples = Math.max(...seen.map((part) => part.samples));
    all.#state.movingMin = Math.min(...seen.map((part) => part.movingMin));
    all.#state.movingMax = Math.max(...seen.map((part) => part.movingMax));
    all.#state.firstMin = Math.min(...seen.map((part) => part.#state.firstMin));
    all.#state.firstMax = Math.max(...seen.map((part) => part.#state.firstMax));
    return all;
  }

  bins(): Bins {
    const { top } = this.#state;
    const edges = new Float64Array(SIDE + 1);
    if (top === 0) return { edges, positive: new Uint32Array(SIDE), negative: undefined };
    for (let octave = 0; octave < OCTAVES; octave++) {
      const low = 2 ** (top - OCTAVES + 1 + octave - 127);
      for (let k = 0; k < BINS_PER_OCTAVE; k++) edges[octave * BINS_PER_OCTAVE + k] = low * (1 + k / BINS_PER_OCTAVE);
    }
    edges[0] = 0;
    edges[SIDE] = 2 ** (top - 126);
    return {
      edges,
      positive: this.#counts.subarray(0, SIDE),
      negative: this.#counts.length > SIDE ? this.#counts.subarray(SIDE) : undefined,
    };
  }

  /** The slot of a magnitude; the last slot for whatever lies above all of them. */
  slotOf(magnitude: number): number {
    const slot = (bitsOf(magnitude) >>> KEY_SHIFT) - this.#base;
    return slot < 0 ? 0 : slot >= SIDE ? SIDE - 1 : slot;
  }

  toBytes(): Uint8Array {
    const writer = new ByteWriter();
    const s = this.#state;
    for (const key of STATE_KEYS) writer.float64(s[key]);
    writer.varint(this.#counts.length);
    for (let slot = 0, written = 0; slot < this.#counts.length; slot++) {
      const count = this.#counts[slot]!;
      if (count === 0) continue;
      writer.varint(slot + 1 - written);
      writer.varint(count);
      written = slot + 1;
    }
    writer.varint(0);
    return writer.take();
  }

  /** Throws `data-invalid` where the bytes were not made by `toBytes`. */
  static fromBytes(bytes: Uint8Array): TensorStats {
    const reader = new ByteReader(bytes);
    const stats = new TensorStats();
    for (const key of STATE_KEYS) stats.#state[key] = reader.float64();
    const length = reader.varint();
    if (length !== 0 && length !== SIDE && length !== 2 * SIDE) throw invalidBytes();
    stats.#counts = stats.count >= WIDE_FROM ? new Float64Array(length) : new Uint32Array(length);
    let total = 0;
    for (let gap = reader.varint(), next = 0; gap !== 0; gap = reader.varint()) {
      next += gap;
      if (next > length) throw invalidBytes();
      stats.#counts[next - 1] = reader.varint();
      total += stats.#counts[next - 1]!;
    }
    if (!reader.atEnd || total !== stats.count) throw invalidBytes();
    return stats;
  }

  #moment(of: (x: number) => number, negativeSign: number): number {
    const { edges, positive, negative } = this.bins();
    let sum = 0;
    for (let slot = SIDE - 1; slot > 0; slot--) {
      const net = positive[slot]! + negativeSign * (negative?.[slot] ?? 0);
      if (net !== 0) sum += net * of((edges[slot]! + edges[slot + 1]!) / 2);
    }
    return sum;
  }

  /** The first key of slot 0's window. */
  get #base(): number {
    return (this.#state.top - OCTAVES + 1) * BINS_PER_OCTAVE;
  }

  #count(bits: Int32Array, seen: Extent): void {
    const { min, max, largest } = extremesOf(bits);
    if (largest >= INFINITY_BITS) {
      const finite = bits.filter((value) => (value & MAGNITUDE) < INFINITY_BITS);
      this.#state.nonFinite += bits.length - finite.length;
      if (finite.length > 0) this.#count(finite, seen);
      return;
    }
    this.#ensure(largest >>> 23, min < 0, bits.length);
    accumulate(bits, this.#counts, this.#base);
    this.#counted(bits.length, min, max, seen);
  }

  /** A multiple of four values, whose number fits in 32 bits together with those before. */
  #countVectors(kernel: SimdKernel, bits: Int32Array, seen: Extent): void {
    kernel.loadCounts(this.#counts);
    for (let start = 0; start < bits.length; start += CHUNK) {
      const chunk = bits.subarray(start, start + CHUNK);
      const { min, max, largest } = kernel.takeChunk(chunk);
      if (largest < INFINITY_BITS && largest >>> 23 <= this.#state.top && this.#counts.length > (min < 0 ? SIDE : 0)) {
        kernel.countChunk(this.#base, this.#counts.length > SIDE);
        this.#counted(chunk.length, min, max, seen);
      } else {
        // The counts change their shape, or not all is to be counted: rare, so by the plain loop.
        kernel.storeCounts(this.#counts);
        this.#count(chunk, seen);
        kernel.loadCounts(this.#counts);
      }
    }
    kernel.storeCounts(this.#counts);
  }

  #counted(count: number, min: number, max: number, seen: Extent): void {
    this.#state.count += count;
    seen.min = Math.min(seen.min, min);
    seen.max = Math.max(seen.max, max);
  }

  /** What is near zero has no sign: -0 would otherwise be counted apart only after some negative value. */
  #joinZeros(): void {
    if (this.#counts.length === SIDE) return;
    this.#counts[0]! += this.#counts[SIDE]!;
    this.#counts[SIDE] = 0;
  }

  #addExtremes({ min, max }: Extent, sample: number): void {
    const s = this.#state;
    if (min < s.min || (min === s.min && sample < s.minSample)) [s.min, s.minSample] = [min, sample];
    if (max > s.max || (max === s.max && sample < s.maxSample)) [s.max, s.maxSample] = [max, sample];
    if (s.samples === 0) {
      [s.firstMin, s.firstMax, s.movingMin, s.movingMax] = [min, max, min, max];
    } else {
      s.movingMin = towards(s.movingMin, min);
      s.movingMax = towards(s.movingMax, max);
    }
    s.samples++;
  }

  /** Makes room: the window reaches up to `exponent`, negatives have slots, no slot can overflow. */
  #ensure(exponent: number, negatives: boolean, added: number): void {
    const top = Math.max(exponent, LOWEST_TOP, this.#state.top);
    const length = negatives || this.#counts.length > SIDE ? 2 * SIDE : SIDE;
    const wide = this.count + added >= WIDE_FROM || this.#counts instanceof Float64Array;
    if (length !== this.#counts.length || wide !== this.#counts instanceof Float64Array) {
      const grown = wide ? new Float64Array(length) : new Uint32Array(length);
      grown.set(this.#counts);
      this.#counts = grown;
    }
    const shift = Math.min(SIDE - 1, (top - this.#state.top) * BINS_PER_OCTAVE);
    if (shift > 0 && this.count > 0) {
      for (let start = 0; start < length; start += SIDE) shiftDown(this.#counts.subarray(start, start + SIDE), shift);
    }
    this.#state.top = top;
  }
}

const STATE_KEYS = Object.keys(emptyState()) as (keyof State)[];

const invalidBytes = (): QuantscopeError => new QuantscopeError('data-invalid', 'The stored statistics are damaged.');

/** Moves every slot down by `shift`; what falls below the window goes to slot 0. */
function shiftDown(side: Counts, shift: number): void {
  let fallen = 0;
  for (let slot = 0; slot <= shift; slot++) fallen += side[slot]!;
  side.copyWithin(0, shift);
  side.fill(0, SIDE - shift);
  side[0] = fallen;
}
