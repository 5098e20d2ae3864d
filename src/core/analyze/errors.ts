/**
 * Sums of squares behind every error that is reported, and nothing else of the activations:
 * SQNR = 10·log10(Σx² / Σ(x−y)²) in dB and cosine = Σxy / √(Σx²·Σy²), pooled over all samples.
 */

import { QuantscopeError } from '../../shared/errors';
import type { ErrorMeasure } from '../../shared/report';

/**
 * What stands for −∞ dB, which JSON cannot hold: error where the reference is all zero, or a result
 * that is not finite where the reference is.
 */
export const SQNR_FLOOR = -300;

/** Integers with the one scale and zero point of an activation: value = (q − zeroPoint) · scale. */
export interface Quantized {
  readonly data: Uint8Array | Int8Array | Uint16Array | Int16Array;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Σx², Σy² and Σ(x−y)², all in float64. */
interface Sums {
  reference: number;
  approximation: number;
  error: number;
}

/** Pooled error of one tensor; samples come one after the other, and one sample may come in parts. */
export class ErrorAccumulator {
  readonly #total: Sums = { reference: 0, approximation: 0, error: 0 };
  #sample: { readonly id: string; readonly sums: Sums } | undefined;
  #worst: { readonly sample: string; readonly sqnr: number | null } | undefined;

  /**
   * Positions where the reference is not finite (masks of −∞) are left out: no error is defined there.
   * @throws `internal` where the lengths differ
   */
  add(sample: string, reference: Float32Array, approximation: Float32Array | Quantized): void {
    const { length } = approximation instanceof Float32Array ? approximation : approximation.data;
    if (length !== reference.length) {
      throw new QuantscopeError('internal', `Cannot compare ${reference.length} values with ${length}.`);
    }
    const found = sumsOf(reference, approximation);
    if (this.#sample?.id !== sample) {
      this.#finishSample();
      this.#sample = { id: sample, sums: { reference: 0, approximation: 0, error: 0 } };
    }
    accumulate(this.#sample.sums, found);
    accumulate(this.#total, found);
  }

  /** @returns `null` where nothing was added */
  result(): ErrorMeasure | null {
    this.#finishSample();
    if (this.#worst === undefined) return null;
    return { sqnr: sqnrOf(this.#total), cosine: cosineOf(this.#total), worst: this.#worst };
  }

  #finishSample(): void {
    if (this.#sample === undefined) return;
    const candidate = { sample: this.#sample.id, sqnr: sqnrOf(this.#sample.sums) };
    this.#sample = undefined;
    const worst = this.#worst;
    if (worst === undefined || isWorse(candidate, worst)) this.#worst = candidate;
  }
}

/** Equal values are decided by the name, so that the order of the samples does not matter. */
function isWorse(a: ErrorMeasure['worst'], b: ErrorMeasure['worst']): boolean {
  const [left, right] = [a.sqnr ?? Infinity, b.sqnr ?? Infinity];
  return left === right ? a.sample < b.sample : left < right;
}

function accumulate(into: Sums, from: Sums): void {
  into.reference += from.reference;
  into.approximation += from.approximation;
  into.error += from.error;
}

function sqnrOf({ reference, error }: Sums): number | null {
  if (error === 0) return null;
  return Math.max(SQNR_FLOOR, 10 * Math.log10(reference / error));
}

/**
 * 2·Σxy = Σx² + Σy² − Σ(x−y)² spares the loop one of four sums, and costs digits only where y is
 * larger than x by many orders of magnitude. Two zero tensors point the same way.
 */
function cosineOf({ reference, approximation, error }: Sums): number {
  if (error === 0) return 1;
  const norms = Math.sqrt(reference) * Math.sqrt(approximation);
  if (norms === 0 || !Number.isFinite(norms)) return 0;
  return Math.min(1, Math.max(-1, (reference + approximation - error) / (2 * norms)));
}

function sumsOf(x: Float32Array, y: Float32Array | Quantized): Sums {
  const bytes = !(y instanceof Float32Array) && y.data.BYTES_PER_ELEMENT === 1;
  const sums = bytes ? sumsOfBytes(x, y) : sumsOfFloats(x, valuesOf(y));
  // Non-finite values make the sums so; only then is it worth asking of every position.
  return Number.isFinite(sums.reference + sums.approximation + sums.error) ? sums : sumsOfFinite(x, valuesOf(y));
}

function valuesOf(y: Float32Array | Quantized): Float32Array {
  return y instanceof Float32Array ? y : dequantize(y);
}

/** As the runtime's DequantizeLinear: the product rounded to float32. */
export function dequantize({ data, scale, zeroPoint }: Quantized): Float32Array {
  const values = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) values[i] = (data[i]! - zeroPoint) * scale;
  return values;
}

/** Two independent sums of each kind, because a float64 addition waits four cycles for the one before it. */
function sumsOfBytes(x: Float32Array, { data, scale, zeroPoint }: Quantized): Sums {
  // Flipping the sign bit turns int8 into the index q + 128 of the table.
  const offset = data instanceof Int8Array ? 128 : 0;
  const table = Float32Array.from({ length: 256 }, (_, q) => (q - offset - zeroPoint) * scale);
  const q = data instanceof Int8Array ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data;
  let xx0 = 0;
  let xx1 = 0;
  let yy0 = 0;
  let yy1 = 0;
  let ee0 = 0;
  let ee1 = 0;
  const even = x.length - (x.length % 2);
  for (let i = 0; i < even; i += 2) {
    const a = x[i]!;
    const b = x[i + 1]!;
    const c = table[q[i]! ^ offset]!;
    const d = table[q[i + 1]! ^ offset]!;
    xx0 += a * a;
    xx1 += b * b;
    yy0 += c * c;
    yy1 += d * d;
    ee0 += (a - c) * (a - c);
    ee1 += (b - d) * (b - d);
  }
  if (even < x.length) {
    const a = x[even]!;
    const c = table[q[even]! ^ offset]!;
    xx0 += a * a;
    yy0 += c * c;
    ee0 += (a - c) * (a - c);
  }
  return { reference: xx0 + xx1, approximation: yy0 + yy1, error: ee0 + ee1 };
}

function sumsOfFloats(x: Float32Array, y: Float32Array): Sums {
  let reference = 0;
  let approximation = 0;
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const a = x[i]!;
    const b = y[i]!;
    reference += a * a;
    approximation += b * b;
    error += (a - b) * (a - b);
  }
  return { reference, approximation, error };
}

/** The same where the reference is finite; a NaN that approximates it is as far off as an infinity. */
function sumsOfFinite(x: Float32Array, y: Float32Array): Sums {
  const finite = (i: number): boolean => Number.isFinite(x[i]);
  const sums = sumsOfFloats(
    x.map((value, i) => (finite(i) ? value : 0)),
    y.map((value, i) => (finite(i) ? value : 0)),
  );
  return Number.isNaN(sums.error) ? { ...sums, approximation: Infinity, error: Infinity } : sums;
}
