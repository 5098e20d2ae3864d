/**
 * What the int8 kernels of x86 CPUs without VNNI do to large products. There u8×s8 products are
 * multiplied and added in pairs by `vpmaddubsw`, whose sums are clipped to 16 bits: 255·127·2 = 64770
 * becomes 32767 (Intel SDM vol. 2, PMADDUBSW). Pairs are neighbours 2i, 2i+1 along the inner dimension
 * K of the product; for a convolution that runs over kernel rows, kernel columns, then input channels.
 */

import { QuantscopeError } from '../../shared/errors';

/** A convolution over the last dimensions of `[channels, ...spatial]`, batch 1. */
export interface ConvGeometry {
  readonly kind: 'conv';
  readonly channels: number;
  readonly spatial: readonly number[];
  readonly outSpatial: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first element of each spatial dimension. */
  readonly pads: readonly number[];
  readonly groups: number;
  readonly outChannels: number;
}

/** `[rows, inner] · [inner, columns]`. */
export interface ProductGeometry {
  readonly kind: 'product';
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export type Geometry = ConvGeometry | ProductGeometry;

/** The kernels for one input and one output channel per group widen to 16 bits first, which is exact. */
export function isDepthwise(geometry: Geometry): boolean {
  return (
    geometry.kind === 'conv' &&
    geometry.groups > 1 &&
    geometry.groups === geometry.channels &&
    geometry.groups === geometry.outChannels
  );
}

/** Weights in the order of the kernel: per group `[output channel][K]`. */
export interface KernelWeights {
  readonly groups: number;
  /** K, filled up with a zero where it is odd. */
  readonly inner: number;
  /** Output channels of one group. */
  readonly columns: number;
  readonly data: Int8Array;
  /** Σ of the weights of every output channel. */
  readonly sums: Int32Array;
}

/**
 * @param weight of a convolution `[outChannels, channels / groups, ...kernel]`, of a product
 *   `[inner, columns]`
 * @throws `internal` where it has another size
 */
export function arrangeWeights(geometry: Geometry, weight: Int8Array): KernelWeights {
  const conv = geometry.kind === 'conv';
  const groups = conv ? geometry.groups : 1;
  const depth = conv ? geometry.channels / groups : geometry.inner;
  const window = conv ? product(geometry.kernel) : 1;
  const channels = conv ? geometry.outChannels : geometry.columns;
  const length = depth * window;
  if (weight.length !== channels * length) {
    throw new QuantscopeError('internal', `A weight of ${weight.length} values where its layer needs another number.`);
  }
  const inner = length + (length % 2);
  const data = new Int8Array(channels * inner);
  const sums = new Int32Array(channels);
  for (let n = 0; n < channels; n++) {
    for (let c = 0; c < depth; c++) {
      for (let w = 0; w < window; w++) {
        const value = weight[conv ? (n * depth + c) * window + w : c * channels + n]!;
        data[n * inner + w * depth + c] = value;
        sums[n]! += value;
      }
    }
  }
  return { groups, inner, columns: channels / groups, data, sums };
}

export interface Saturation {
  /** Pair sums looked at, and how many of them were clipped. */
  readonly pairs: number;
  readonly clipped: number;
  /** Σ of squared errors of the looked-at outputs that clipping causes, in units of the outputs. */
  readonly errorPower: number;
  /** Σ of their exact squares, in units of the outputs, before the bias. */
  readonly signalPower: number;
}

/**
 * Emulates the kernel at some output positions, for all output channels.
 * @param input of one sample: `[channels, ...spatial]` or `[rows, inner]`
 * @param zeroPoint of the input; also what a convolution pads with
 * @param scales of input times weight, one per output channel or one for all
 * @param positions indices into the output positions (spatial positions, or rows)
 */
export function emulateSaturation(
  geometry: Geometry,
  weights: KernelWeights,
  input: Uint8Array,
  zeroPoint: number,
  scales: Float32Array,
  positions: Iterable<number>,
): Saturation {
  const channels = weights.groups * weights.columns;
  const total = { pairs: 0, clipped: 0, errorPower: 0, signalPower: 0 };
  for (const position of positions) {
    const { exact, lost, clipped } = kernelSums(geometry, weights, input, zeroPoint, position);
    for (let channel = 0; channel < channels; channel++) {
      const scale = scales[scales.length === 1 ? 0 : channel] ?? 0;
      total.errorPower += (lost[channel]! * scale) ** 2;
      total.signalPower += (exact[channel]! * scale) ** 2;
    }
    total.clipped += clipped;
    total.pairs += (weights.inner / 2) * channels;
  }
  return total;
}

export interface KernelSums {
  /** Σ (a − zeroPoint)·w of every output channel. */
  readonly exact: Int32Array;
  /** What clipping takes from it. */
  readonly lost: Int32Array;
  /** Number of clipped pair sums. */
  readonly clipped: number;
}

/** The accumulators of all output channels at one output position. */
export function kernelSums(
  geometry: Geometry,
  { groups, inner, columns, data, sums: weightSums }: KernelWeights,
  input: Uint8Array,
  zeroPoint: number,
  position: number,
): KernelSums {
  const patch = new Uint8Array(inner);
  const exact = new Int32Array(groups * columns);
  const lost = new Int32Array(groups * columns);
  let clipped = 0;
  for (let group = 0; group < groups; group++) {
    readPatch(geometry, input, zeroPoint, position, group, patch);
    for (let channel = group * columns; channel < (group + 1) * columns; channel++) {
      const start = channel * inner;
      let sum = 0;
      let over = 0;
      for (let k = 0; k < inner; k += 2) {
        const pair = patch[k]! * data[start + k]! + patch[k + 1]! * data[start + k + 1]!;
        sum += pair;
        if (pair > 32767 || pair < -32768) {
          over += pair > 0 ? pair - 32767 : pair + 32768;
          clipped++;
        }
      }
      exact[channel] = sum - zeroPoint * weightSums[channel]!;
      lost[channel] = over;
    }
  }
  return { exact, lost, clipped };
}

/** The K inputs of one output position, in the order of the kernel. */
function readPatch(
  geometry: Geometry,
  input: Uint8Array,
  zeroPoint: number,
  position: number,
  group: number,
  patch: Uint8Array,
): void {
  if (geometry.kind === 'product') {
    patch.set(input.subarray(position * geometry.inner, (position + 1) * geometry.inner));
    return;
  }
  const { channels, groups, spatial, outSpatial, kernel, strides, dilations, pads } = geometry;
  const depth = channels / groups;
  const plane = product(spatial);
  const window = product(kernel);
  const out = unravel(position, outSpatial);
  for (let w = 0; w < window; w++) {
    const tap = unravel(w, kernel);
    let offset = 0;
    let inside = true;
    for (const [d, size] of spatial.entries()) {
      const at = out[d]! * strides[d]! - pads[d]! + tap[d]! * dilations[d]!;
      inside &&= at >= 0 && at < size;
      offset = offset * size + at;
    }
    for (let c = 0; c < depth; c++) {
      patch[w * depth + c] = inside ? input[(group * depth + c) * plane + offset]! : zeroPoint;
    }
  }
}

/** Output positions to look at: all of them, or a seeded choice of `count` different ones. */
export function samplePositions(geometry: Geometry, count: number, seed: number): number[] {
  const total = geometry.kind === 'product' ? geometry.rows : product(geometry.outSpatial);
  if (total <= count) return Array.from({ length: total }, (_, i) => i);
  const chosen = new Set<number>();
  const random = mulberry32(seed);
  while (chosen.size < count) chosen.add(Math.floor(random() * total));
  return [...chosen];
}

/** A 32-bit generator, uniform on [0, 1) (T. Ettinger, mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function unravel(index: number, shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  for (let d = shape.length - 1; d >= 0; d--) {
    result[d] = index % shape[d]!;
    index = Math.floor(index / shape[d]!);
  }
  return result;
}

function product(factors: readonly number[]): number {
  return factors.reduce((a, b) => a * b, 1);
}
