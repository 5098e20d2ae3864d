/** Tensors out of plain JavaScript values: parsed JSON, or what a user's module yields. */

import { inspect } from 'node:util';
import { QuantscopeError } from '../../shared/errors';
import {
  allocate,
  elementCount,
  floatToHalf,
  isElementType,
  type ElementType,
  type Tensor,
  type TensorStorage,
} from '../tensor';
import { describeInput, elementTypeOfInput, fitFeeds, integerRange } from './fit';
import type { Feeds, InputInfo } from './types';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The feeds of one sample from an object by input name. Each value is nested numbers, `{ data, shape }`,
 * a typed array, or a tensor `{ type, dims, data }` such as onnxruntime's. Integers beyond 2^53 may be
 * written as strings, and so may "NaN", "Infinity" and "-Infinity". Names that are no inputs are ignored.
 * @throws `data-invalid`
 */
export function feedsOfObject(value: unknown, inputs: readonly InputInfo[], where: string): Feeds {
  if (!isObject(value) || ArrayBuffer.isView(value)) {
    throw new QuantscopeError(
      'data-invalid',
      `${where} is not an object that names its inputs (${inputs.map(describeInput).join(', ')}).`,
    );
  }
  const names = Object.keys(value);
  const lone = inputs.length === 1 && names.length === 1 ? inputs[0] : undefined;
  const feeds: Record<string, Tensor> = {};
  for (const name of names) {
    const input = inputs.find((candidate) => candidate.name === name) ?? lone;
    if (input !== undefined) feeds[input.name] = tensorOfValue(value[name], input, where);
  }
  return fitFeeds(feeds, inputs, where);
}

function tensorOfValue(value: unknown, input: InputInfo, where: string): Tensor {
  if (ArrayBuffer.isView(value)) return tensorOfTypedArray(value, dimsByCount(value, input, where), input, where);
  if (!isObject(value)) {
    const dims = nestedDims(value);
    return { type: elementTypeOfInput(input), dims, data: parseNumbers(flatten(value, dims, where), input, where) };
  }
  const { data } = value;
  const dims = value['dims'] ?? value['shape'];
  if (!isDims(dims)) throw invalid(where, input, 'an object needs "data" and "shape"');
  if (ArrayBuffer.isView(data)) return tensorOfTypedArray(data, dims, input, where, value['type']);
  const flat = Array.isArray(data) ? (data as unknown[]).flat(Infinity) : [data];
  if (flat.length !== elementCount(dims)) {
    throw invalid(
      where,
      input,
      `the shape [${dims.join(', ')}] needs ${elementCount(dims)} values, "data" has ${flat.length}`,
    );
  }
  return { type: elementTypeOfInput(input), dims, data: parseNumbers(flat, input, where) };
}

const isDims = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0);

/** What a typed array holds where nobody says; 16-bit words are halves only where the tensor says so. */
const ARRAY_TYPES: readonly (readonly [new (...args: never[]) => ArrayBufferView, ElementType])[] = [
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int8Array, 'int8'],
  [Uint8Array, 'uint8'],
  [Uint8ClampedArray, 'uint8'],
  [Int16Array, 'int16'],
  [Uint16Array, 'uint16'],
  [Int32Array, 'int32'],
  [Uint32Array, 'uint32'],
  [BigInt64Array, 'int64'],
  [BigUint64Array, 'uint64'],
];

function tensorOfTypedArray(
  array: ArrayBufferView,
  dims: readonly number[],
  input: InputInfo,
  where: string,
  named?: unknown,
): Tensor {
  const stored = ARRAY_TYPES.find(([constructor]) => array instanceof constructor)?.[1];
  if (stored === undefined) throw invalid(where, input, 'its data is not an array of numbers');
  const type = typeof named === 'string' && isElementType(named) ? named : stored;
  const data = array as TensorStorage[ElementType];
  if (allocate(type, 0).BYTES_PER_ELEMENT !== data.BYTES_PER_ELEMENT || data.length !== elementCount(dims)) {
    throw invalid(
      where,
      input,
      `${data.length} values of ${stored} do not make a ${type} tensor of shape [${dims.join(', ')}]`,
    );
  }
  return { type, dims, data };
}

/** A bare typed array takes the shape of the input; one symbolic dim follows from the number of values. */
function dimsByCount(array: ArrayBufferView, input: InputInfo, where: string): number[] {
  const count = (array as Uint8Array).length;
  const dims = input.shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : null));
  const known = elementCount(dims.map((dim) => dim ?? 1));
  const free = dims.filter((dim) => dim === null).length;
  if (free > 1 || (free === 0 ? count !== known : count % known !== 0))
    throw invalid(where, input, `an array of ${count} values has no clear shape`);
  return dims.map((dim) => dim ?? count / known);
}

function nestedDims(value: unknown): number[] {
  const dims: number[] = [];
  for (let at = value; Array.isArray(at); at = (at as unknown[])[0]) dims.push(at.length);
  return dims;
}

function flatten(value: unknown, dims: readonly number[], where: string): unknown[] {
  const out: unknown[] = [];
  const visit = (at: unknown, axis: number): void => {
    const length = dims[axis];
    if (length === undefined) out.push(at);
    else if (Array.isArray(at) && at.length === length) for (const inner of at) visit(inner, axis + 1);
    else
      throw new QuantscopeError(
        'data-invalid',
        `${where} holds a ragged array: at depth ${axis} not all parts have ${length} values.`,
      );
  };
  visit(value, 0);
  return out;
}

function parseNumbers(values: readonly unknown[], input: InputInfo, where: string): TensorStorage[ElementType] {
  const type = elementTypeOfInput(input);
  const data = allocate(type, values.length);
  const range = integerRange(type);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (range === undefined) {
      const number = parseFloating(value);
      if (number === null) throw invalid(where, input, `${show(value)} is not a number`);
      data[i] = type === 'float16' ? floatToHalf(number) : number;
    } else {
      const integer = parseInteger(value);
      if (integer === null)
        throw invalid(where, input, `${show(value)} is not an exact integer (write those beyond 2^53 as strings)`);
      if (integer < range[0] || integer > range[1])
        throw invalid(where, input, `${integer} is out of the range of ${type}`);
      data[i] = wide ? integer : Number(integer);
    }
  }
  return data;
}

function parseFloating(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  if (value === 'NaN') return NaN;
  if (value === 'Infinity') return Infinity;
  return value === '-Infinity' ? -Infinity : null;
}

function parseInteger(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : null;
}

function show(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity }).slice(0, 40);
}

function invalid(where: string, input: InputInfo, reason: string): QuantscopeError {
  return new QuantscopeError('data-invalid', `${where} does not fit the input ${describeInput(input)}: ${reason}.`);
}
