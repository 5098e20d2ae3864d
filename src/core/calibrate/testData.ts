/** For the tests beside it: fixtures (test/fixtures/calibrate/make.py tells how they are made) and the data they describe. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = join(__dirname, '../../../test/fixtures/calibrate');

export function fixture(name: string): unknown {
  return JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));
}

export const UINT8 = { bits: 8, qmin: 0, qmax: 255, symmetric: false } as const;
export const INT8 = { bits: 8, qmin: -127, qmax: 127, symmetric: true } as const;
export const UINT16 = { bits: 16, qmin: 0, qmax: 65535, symmetric: false } as const;

function* uniforms(seed: number): Generator<number, never> {
  for (let x = seed; ;) {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    yield x / 2 ** 32;
  }
}

const SHAPES: Readonly<Record<string, (g: number, u: readonly number[], index: number) => number>> = {
  gaussian: (g) => g,
  relu: (g) => Math.max(g, 0),
  negative: (g) => -Math.abs(g),
  heavy: (g) => g * g * g,
  uniform: (_, u) => u[3]! * 5 - 1,
  outliers: (g, _, index) => (index % 4001 === 7 ? 60 * g : g),
  skewed: (g) => (g < 0 ? 0.1 * g : g * g * g),
  sparse: (g, u) => (u[5]! < 0.9 ? 0 : Math.abs(g)),
};

/** The same values as `distribution` in make.py. */
export function distribution(name: string, count = 20000): Float32Array {
  const source = uniforms(12345);
  return Float32Array.from({ length: count }, (_, index) => {
    const u = Array.from({ length: 12 }, () => source.next().value);
    return SHAPES[name]!(u.reduce((sum, value) => sum + value) - 6, u, index);
  });
}

/** NaN and ±Infinity have no JSON form. */
export const toFloats = (values: readonly (number | string)[]): Float32Array => Float32Array.from(values, Number);
