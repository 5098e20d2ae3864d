/** Scale and zero point from a range, by the exact formulas of onnxruntime and of torch. */

import { QuantscopeError } from '../../shared/errors';

/** Bounds in real units; always contains 0 after `rangeOf`. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The integers a range is mapped to. */
export interface QuantSpec {
  /** 8 or 16: of the stored type, also where reduce_range uses fewer. */
  readonly bits: number;
  readonly qmin: number;
  readonly qmax: number;
  readonly symmetric: boolean;
  /** onnxruntime's MinimumRealRange: max - min is at least this (QNN: 1e-4). */
  readonly minRealRange?: number;
  /** torch's smallest scale; default 2^-23. The symmetric qnnpack qconfig has 2^-12. */
  readonly eps?: number;
}

/** `scale` is exactly representable in float32; real = scale · (q - zeroPoint). */
export interface QParams {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Whose formula: they differ in precision, in the smallest scale and in the symmetric divisor. */
export type Convention = 'ort' | 'torch';

const TORCH_EPS = 2 ** -23;
/** numpy.finfo(float32).tiny: smaller scales are replaced by 1. */
const FLOAT32_TINY = 2 ** -126;

const { fround } = Math;

export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** The range as float32 with 0 inside; what both frameworks start from. */
function withZero(range: Range): Range {
  return { min: fround(Math.min(0, range.min)), max: fround(Math.max(0, range.max)) };
}

/**
 * Asymmetric: s = (max - min) / (qmax - qmin), zp = qmin - min / s, rounded half to even.
 * ort: onnxruntime.quantization.quant_utils.compute_scale_zp, in float64, the scale stored as float32;
 * a scale below the smallest normal float32 becomes 1 with zero point 0.
 * torch: UniformQuantizationObserverBase._calculate_qparams, in float32, the scale at least `eps`.
 */
export function affineParams(range: Range, spec: QuantSpec, convention: Convention = 'ort'): QParams {
  const { min, max } = widened(withZero(range), spec, convention);
  const { qmin, qmax } = spec;
  if (convention === 'ort') {
    const scale = (max - min) / (qmax - qmin);
    if (scale < FLOAT32_TINY) return { scale: 1, zeroPoint: clamp(0, qmin, qmax) };
    return { scale: fround(scale), zeroPoint: clamp(roundHalfEven(qmin - min / scale), qmin, qmax) };
  }
  const scale = torchScale(fround(max - min), max - min, qmax - qmin, spec);
  return { scale, zeroPoint: clamp(qmin - roundHalfEven(fround(min / scale)), qmin, qmax) };
}

/**
 * Symmetric: the range is widened to ±a, a = max(|min|, |max|).
 * ort: s = 2a / (qmax - qmin), so a / 127 on [-127, 127], which is also taken for the whole of int8, as
 * onnxruntime does; zero point round((qmin + qmax) / 2). A scale below the smallest normal float32
 * becomes 1; the zero point stays, since kernels want it equal in all channels.
 * torch: s = a / ((qmax - qmin) / 2), so a / 127.5 on [-128, 127], at least `eps`; zero point 0, or 128
 * for the whole of quint8 and the lower middle for a part of it.
 */
export function symmetricParams(range: Range, spec: QuantSpec, convention: Convention): QParams {
  const { min, max } = widened(withZero(range), spec, convention);
  const bound = Math.max(-min, max);
  const { qmax } = spec;
  if (convention === 'ort') {
    const qmin = spec.qmin === -qmax - 1 && qmax === 2 ** (spec.bits - 1) - 1 ? -qmax : spec.qmin;
    const scale = (2 * bound) / (qmax - qmin);
    const zeroPoint = roundHalfEven((qmin + qmax) / 2) + 0;
    return { scale: scale < FLOAT32_TINY ? 1 : fround(scale), zeroPoint };
  }
  const zeroPoint = spec.qmin < 0 ? 0 : Math.ceil((spec.qmin + qmax) / 2 - (qmax === 2 ** spec.bits - 1 ? 0 : 0.5));
  return { scale: torchScale(bound, bound, (qmax - spec.qmin) / 2, spec), zeroPoint };
}

/** `affineParams` or `symmetricParams`, as the spec says. */
export function paramsOf(range: Range, spec: QuantSpec, convention: Convention): QParams {
  return spec.symmetric ? symmetricParams(range, spec, convention) : affineParams(range, spec, convention);
}

function widened(range: Range, spec: QuantSpec, convention: Convention): Range {
  if (convention === 'torch' || spec.minRealRange === undefined) return range;
  return { min: range.min, max: Math.max(range.max, fround(range.min + fround(spec.minRealRange))) };
}

/** In float32 as torch; where its difference overflows to infinity, the finite quotient instead. */
function torchScale(length: number, exact: number, steps: number, spec: QuantSpec): number {
  const scale = fround(Number.isFinite(length) ? length / steps : exact / steps);
  return Math.max(scale, fround(spec.eps ?? TORCH_EPS));
}

/** How a row-major array falls into channels: `outer` times `channels` runs of `inner` elements. */
export interface ChannelLayout {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/**
 * The layout of `axis` (negative counts from the end), or one channel for `null`. Throws
 * `data-invalid` where the axis does not exist or the shape does not hold `length` elements.
 */
export function channelLayout(dims: readonly number[], axis: number | null, length: number): ChannelLayout {
  const product = (part: readonly number[]): number => part.reduce((all, dim) => all * dim, 1);
  if (product(dims) !== length) {
    throw new QuantscopeError('data-invalid', `A tensor of shape [${dims.join(', ')}] cannot hold ${length} elements.`);
  }
  if (axis === null) return { outer: 1, channels: 1, inner: length };
  const at = axis < 0 ? axis + dims.length : axis;
  const channels = dims[at];
  if (channels === undefined) {
    throw new QuantscopeError('data-invalid', `A tensor of shape [${dims.join(', ')}] has no axis ${axis}.`);
  }
  return { outer: product(dims.slice(0, at)), channels, inner: product(dims.slice(at + 1)) };
}

/** Min and max of every channel, NaN and ±Inf left out; 0 and 0 for a channel without finite values. */
export function channelRanges(data: Float32Array, dims: readonly number[], axis: number | null): Range[] {
  const { outer, channels, inner } = channelLayout(dims, axis, data.length);
  return Array.from({ length: channels }, (_, channel) => {
    let min = Infinity;
    let max = -Infinity;
    for (let block = 0; block < outer; block++) {
      const start = (block * channels + channel) * inner;
      for (let i = start; i < start + inner; i++) {
        const value = data[i]!;
        if (value < min && value !== -Infinity) min = value;
        if (value > max && value !== Infinity) max = value;
      }
    }
    return min > max ? { min: 0, max: 0 } : { min, max };
  });
}

/**
 * Scales and zero points of weights from their own min and max, per tensor (`axis` null) or per
 * channel along `axis`. A channel of zeros has the scale 1 (ort) or `eps` (torch).
 */
export function weightScales(
  data: Float32Array,
  dims: readonly number[],
  axis: number | null,
  spec: QuantSpec,
  convention: Convention,
): { scales: Float32Array; zeroPoints: Int32Array } {
  const params = channelRanges(data, dims, axis).map((range) => paramsOf(range, spec, convention));
  return {
    scales: Float32Array.from(params, ({ scale }) => scale),
    zeroPoints: Int32Array.from(params, ({ zeroPoint }) => zeroPoint),
  };
}
