/** Float arrays to integers, as the ONNX operator QuantizeLinear does it. */

import type { TensorStorage } from '../tensor';
import { channelLayout } from './qparams';

export const QUANTIZED_TYPES = {
  int8: { qmin: -128, qmax: 127 },
  uint8: { qmin: 0, qmax: 255 },
  int16: { qmin: -32768, qmax: 32767 },
  uint16: { qmin: 0, qmax: 65535 },
} as const;

export type QuantizedType = keyof typeof QUANTIZED_TYPES;

const allocateQuantized: { [T in QuantizedType]: (length: number) => TensorStorage[T] } = {
  int8: (length) => new Int8Array(length),
  uint8: (length) => new Uint8Array(length),
  int16: (length) => new Int16Array(length),
  uint16: (length) => new Uint16Array(length),
};

/** Adding and subtracting 1.5·2^52 leaves a float64 rounded to a whole number, half to even. */
const ROUNDER = 1.5 * 2 ** 52;

/**
 * q = saturate(round_half_even(x / scale) + zeroPoint), the quotient in float32; one scale and zero
 * point per channel along `axis`, or one for all (`axis` null). NaN becomes the type's smallest value,
 * as in onnxruntime's kernels. Throws `data-invalid` where shape and length disagree.
 */
export function quantizeArray<T extends QuantizedType>(
  values: Float32Array,
  dims: readonly number[],
  axis: number | null,
  scales: Float32Array,
  zeroPoints: Int32Array,
  type: T,
): TensorStorage[T] {
  const { outer, channels, inner } = channelLayout(dims, axis, values.length);
  const { qmin, qmax } = QUANTIZED_TYPES[type];
  const result = allocateQuantized[type](values.length);
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++) {
      const scale = scales[channel]!;
      const zeroPoint = zeroPoints[channel]!;
      const start = (block * channels + channel) * inner;
      for (let i = start; i < start + inner; i++) {
        const quotient = Math.fround(values[i]! / scale);
        const low = quotient > qmin - zeroPoint ? quotient : qmin - zeroPoint;
        const bounded = low < qmax - zeroPoint ? low : qmax - zeroPoint;
        result[i] = bounded + ROUNDER - ROUNDER + zeroPoint;
      }
    }
  }
  return result;
}
