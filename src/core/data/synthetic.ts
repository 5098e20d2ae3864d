/** Seeded random samples, the last resort where there are no data: right in shape and type, wrong in distribution. */

import * as os from 'node:os';
import { QuantscopeError } from '../../shared/errors';
import { bytes, shape } from '../../shared/format';
import { allocate, bytesPerElement, elementCount, floatToHalf, type Tensor } from '../tensor';
import { elementTypeOfInput, integerRange } from './fit';
import type { Feeds, InputInfo } from './types';

/** Uniform numbers in [0, 1) from a 32-bit state (mulberry32, public domain). */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Well apart for neighbouring seeds and samples. */
function mix(...parts: readonly number[]): number {
  return parts.reduce((hash, part) => Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15), 0x811c9dc5);
}

/**
 * Sample `index`: standard normal floats, bytes over their whole range, other integers 0…9, masks all 1.
 * @throws `data-invalid` for inputs that hold no plain numbers
 */
export function syntheticFeeds(inputs: readonly InputInfo[], seed: number, index: number): Feeds {
  return Object.fromEntries(
    inputs.map((input, i) => [input.name, syntheticTensor(input, random(mix(seed, index, i)))]),
  );
}

function syntheticTensor(input: InputInfo, next: () => number): Tensor {
  const type = elementTypeOfInput(input);
  const dims = concreteDims(input);
  checkMemory(input, dims, elementCount(dims) * bytesPerElement(type));
  const data = allocate(type, elementCount(dims));
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const range = integerRange(type);
  if (range === undefined) {
    for (let i = 0; i < data.length; i++) {
      const value = normal(next);
      data[i] = type === 'float16' ? floatToHalf(value) : value;
    }
    return { type, dims, data };
  }
  const mask = /mask/i.test(input.name);
  const [low, span] =
    type === 'bool' ? [0, 2] : type === 'uint8' || type === 'int8' ? [Number(range[0]), 256] : [0, 10];
  for (let i = 0; i < data.length; i++) {
    const value = mask ? 1 : low + Math.floor(next() * span);
    data[i] = wide ? BigInt(value) : value;
  }
  return { type, dims, data };
}

/** An array beyond the machine would be refused by JavaScript in its own words, or fill the machine first. */
function checkMemory({ name }: InputInfo, dims: readonly number[], size: number): void {
  const most = os.totalmem();
  if (size <= most) return;
  const text = `"${name}" of ${shape(dims)} takes ${bytes(size)}, and this machine has ${bytes(most)}.`;
  throw new QuantscopeError('out-of-memory', text, { hint: 'Give smaller dimensions, such as a smaller batch.' });
}

/** Box–Muller: https://en.wikipedia.org/wiki/Box–Muller_transform */
function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

const SEQUENCE_LENGTH = 16;
const IMAGE_SIDE = 224;

/** The same symbolic name always gets the same number, so inputs that share it agree. */
function concreteDims({ shape }: InputInfo): number[] {
  return shape.map((dim, axis) => {
    if (typeof dim === 'number' && dim > 0) return dim;
    const name = String(dim).toLowerCase();
    if (/batch|^n$/.test(name)) return 1;
    if (/seq|len|time|token/.test(name)) return SEQUENCE_LENGTH;
    if (/channel|^c$/.test(name)) return 3;
    if (/height|width|^[hw]$/.test(name)) return IMAGE_SIDE;
    if (axis === 0) return 1;
    if (shape.length === 4) return axis === 1 ? 3 : IMAGE_SIDE;
    return shape.length === 2 || shape.length === 3 ? SEQUENCE_LENGTH : 1;
  });
}
