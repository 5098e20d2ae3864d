/** Fits whatever tensors a file holds to the inputs of the model, or says what does not fit. */

import { QuantscopeError } from '../../shared/errors';
import { allocate, floatToHalf, isElementType, toFloat32, type ElementType, type Tensor } from '../tensor';
import type { Feeds, InputInfo } from './types';

const INTEGER_RANGES: Partial<Record<ElementType, readonly [bigint, bigint]>> = {
  bool: [0n, 1n],
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

export function integerRange(type: ElementType): readonly [bigint, bigint] | undefined {
  return INTEGER_RANGES[type];
}

/** Integers up to here are exact in each floating type. */
const EXACT_INTEGERS: Partial<Record<ElementType, number>> = {
  float16: 2 ** 11,
  bfloat16: 2 ** 8,
  float32: 2 ** 24,
  float64: 2 ** 53,
};

export function describeInput({ name, type, shape }: InputInfo): string {
  return `"${name}": ${type} [${shape.join(', ')}]`;
}

/** The element type of an input. @throws `data-invalid` for text, bfloat16 and whatever else is no plain number */
export function elementTypeOfInput(input: InputInfo): ElementType {
  if (isElementType(input.type) && input.type !== 'bfloat16') return input.type;
  throw new QuantscopeError(
    'data-invalid',
    `Samples cannot feed the input ${describeInput(input)}: its type is not supported.`,
  );
}

/**
 * The tensors that the inputs want, in their types and shapes; names that are no inputs are left out.
 * Integers become other integers or floats where every value survives; floats change precision by rounding;
 * a missing leading batch axis of 1 is added. A lone tensor feeds a lone input whatever its name.
 * @param where names the sample in errors
 * @throws `data-invalid` with what was expected and what was found
 */
export function fitFeeds(feeds: Feeds, inputs: readonly InputInfo[], where: string): Feeds {
  const names = Object.keys(feeds);
  const [onlyInput] = inputs;
  const [onlyName] = names;
  if (inputs.length === 1 && names.length === 1 && onlyInput !== undefined && onlyName !== undefined) {
    return { [onlyInput.name]: fitTensor(feeds[onlyName]!, onlyInput, where) };
  }
  const missing = inputs.filter((input) => !Object.hasOwn(feeds, input.name));
  if (missing.length > 0) {
    throw new QuantscopeError(
      'data-invalid',
      `${where} lacks the input ${missing.map(describeInput).join(', ')}; it holds ${names.map((name) => `"${name}"`).join(', ') || 'nothing'}.`,
    );
  }
  return Object.fromEntries(inputs.map((input) => [input.name, fitTensor(feeds[input.name]!, input, where)]));
}

export function fitTensor(tensor: Tensor, input: InputInfo, where: string): Tensor {
  const dims = fitDims(tensor.dims, input.shape);
  if (dims === null) {
    throw new QuantscopeError(
      'data-invalid',
      `${where} does not fit the input ${describeInput(input)}: its shape is [${tensor.dims.join(', ')}].`,
    );
  }
  const type = elementTypeOfInput(input);
  if (type === tensor.type) return dims === tensor.dims ? tensor : { ...tensor, dims };
  const data = convert(tensor, type);
  if (data === null) {
    throw new QuantscopeError(
      'data-invalid',
      `${where} does not fit the input ${describeInput(input)}: its type is ${tensor.type}, and its values would not survive.`,
    );
  }
  return { type, dims, data };
}

const isDynamic = (dim: number | string | undefined): boolean => typeof dim !== 'number' || dim <= 0;

/** The dims as the input wants them (with a batch axis added where just that is missing), or `null`. */
function fitDims(dims: readonly number[], shape: InputInfo['shape']): readonly number[] | null {
  const matches = (candidate: readonly number[]): boolean =>
    candidate.length === shape.length && shape.every((dim, i) => isDynamic(dim) || dim === candidate[i]);
  if (matches(dims)) return dims;
  const batched = [1, ...dims];
  return matches(batched) ? batched : null;
}

function convert(tensor: Tensor, type: ElementType): Tensor['data'] | null {
  const range = INTEGER_RANGES[type];
  const fromInteger = INTEGER_RANGES[tensor.type] !== undefined;
  if (range !== undefined) return fromInteger ? convertIntegers(tensor, type, range) : null;
  const limit = EXACT_INTEGERS[type];
  if (fromInteger && limit !== undefined && !within(tensor, BigInt(-limit), BigInt(limit))) return null;
  if (type === 'float32') return toFloat32(tensor);
  const out = allocate(type, tensor.data.length);
  if (type === 'float64') {
    // Every integer within 2^53 and every float fits; 8-byte integers must not pass through float32.
    const values = isFloatBits(tensor.type) ? toFloat32(tensor) : tensor.data;
    for (let i = 0; i < out.length; i++) out[i] = Number(values[i]!);
    return out;
  }
  if (type !== 'float16') return null;
  const values = toFloat32(tensor);
  for (let i = 0; i < out.length; i++) {
    const half = floatToHalf(values[i]!);
    if ((half & 0x7fff) === 0x7c00 && Number.isFinite(values[i]!)) return null;
    out[i] = half;
  }
  return out;
}

const isFloatBits = (type: ElementType): boolean => type === 'float16' || type === 'bfloat16';

function convertIntegers(tensor: Tensor, type: ElementType, range: readonly [bigint, bigint]): Tensor['data'] | null {
  if (!within(tensor, ...range)) return null;
  const { data } = tensor;
  const out = allocate(type, data.length);
  const wide = out instanceof BigInt64Array || out instanceof BigUint64Array;
  for (let i = 0; i < data.length; i++) out[i] = wide ? BigInt(data[i]!) : Number(data[i]!);
  return out;
}

function within({ type, data }: Tensor, low: bigint, high: bigint): boolean {
  const range = INTEGER_RANGES[type];
  if (range !== undefined && range[0] >= low && range[1] <= high) return true;
  return data.every((value: number | bigint) => value >= low && value <= high);
}
