/** Dense tensors as the whole core passes them: type, shape and one typed array in row-major order. */

import { QuantscopeError } from '../shared/errors';

/** Element types with their storage. `float16` travels as raw bits; strings and 4-bit types are not measured. */
export interface TensorStorage {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}

export type ElementType = keyof TensorStorage;
export type TypedArray = TensorStorage[ElementType];

export interface Tensor<T extends ElementType = ElementType> {
  readonly type: T;
  readonly dims: readonly number[];
  readonly data: TensorStorage[T];
}

const CONSTRUCTORS: { [T in ElementType]: { new (length: number): TensorStorage[T]; BYTES_PER_ELEMENT: number } } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(CONSTRUCTORS, name);
}

const FLOATS: ReadonlySet<ElementType> = new Set(['float32', 'float16', 'bfloat16', 'float64']);

export function isFloatType(type: ElementType): boolean {
  return FLOATS.has(type);
}

export function bytesPerElement(type: ElementType): number {
  return CONSTRUCTORS[type].BYTES_PER_ELEMENT;
}

/** A zero-filled array of the storage of `type`. */
export function allocate<T extends ElementType>(type: T, length: number): TensorStorage[T] {
  return new CONSTRUCTORS[type](length);
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Builds a tensor; throws `data-invalid` where shape and length disagree. */
export function makeTensor<T extends ElementType>(type: T, dims: readonly number[], data: TensorStorage[T]): Tensor<T> {
  if (elementCount(dims) !== data.length) {
    throw new QuantscopeError(
      'data-invalid',
      `A tensor of shape [${dims.join(', ')}] cannot hold ${data.length} elements.`,
    );
  }
  return { type, dims, data };
}

/** IEEE 754 binary16 bits to a number. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** A number to IEEE 754 binary16 bits, rounding half to even. */
export function floatToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 puts the float32 rounding at binary16's last bit.
    scratch[0] = Math.abs(value) + 0.5;
    return sign | (scratchBits[0]! - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The values as float32, copied only where the type differs. */
export function toFloat32(tensor: Tensor): Float32Array {
  const { type, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (type === 'float16') return Float32Array.from(data as Uint16Array, halfToFloat);
  if (type === 'bfloat16') {
    const widened = Uint32Array.from(data as Uint16Array, (bits) => bits * 65536);
    return new Float32Array(widened.buffer);
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}
