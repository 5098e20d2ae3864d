/**
 * Sums of squares behind every error that is reported, and nothing else of the activations:
 * SQNR = 10·log10(Σx² / Σ(x−y)²) in dB and cosine = Σxy / √(Σx²·Σy²), pooled over all samples.
 */

import { QuantscopeError } from '../../shared/errors';
import type { ErrorMeasure, Measured } from '../../shared/measured';
import { sumsOf, type Quantized, type Sums } from './sums';

/**
 * What stands for −∞ dB, which JSON cannot hold: error where the reference is all zero, or a result
 * that is not finite where the reference is.
 */
export const SQNR_FLOOR = -300;

/** How many values there are. */
function lengthOf(values: Float32Array | Quantized): number {
  return values instanceof Float32Array ? values.length : values.data.length;
}

/** Whether each value has its counterpart: not where a tensor is as large as what the model finds, such as its boxes. */
export function isComparable(reference: Float32Array, approximation: Float32Array | Quantized): boolean {
  return reference.length === lengthOf(approximation);
}

/** @throws `plan-impossible` where no error at a model's output is defined, since the values have no counterparts */
export function assertComparable(output: string, reference: Float32Array, approximation: Float32Array): void {
  if (isComparable(reference, approximation)) return;
  const sizes = `${reference.length} values in fp32 and ${approximation.length} in int8`;
  throw new QuantscopeError('plan-impossible', `The output "${output}" has ${sizes}, so it has no error.`, {
    hint: 'Its size depends on what the model finds. Cut the model before that, such as before NonMaxSuppression; errors of single layers are in the report.',
  });
}

/** Where no output of the fp32 model has a value that an error could be told of. */
export function nothingToCompare(): QuantscopeError {
  return new QuantscopeError('not-comparable', 'No output of the fp32 model has a finite value on these samples.');
}

/** Pooled error of one tensor; samples come one after the other, and one sample may come in parts. */
export class ErrorAccumulator {
  readonly #total: Sums = none();
  #added = false;
  /** With those that were left out. */
  #values = 0;
  #sample: { readonly id: string; readonly sums: Sums } | undefined;
  #worst: { readonly sample: string; readonly sqnr: number | null } | undefined;

  /**
   * Positions where the reference is not finite (masks of −∞) are left out: no error is defined there.
   * @throws `internal` where the lengths differ
   */
  add(sample: string, reference: Float32Array, approximation: Float32Array | Quantized): void {
    if (!isComparable(reference, approximation)) {
      const message = `Cannot compare ${reference.length} values with ${lengthOf(approximation)}.`;
      throw new QuantscopeError('internal', message);
    }
    const found = sumsOf(reference, approximation);
    if (this.#sample?.id !== sample) {
      this.#finishSample();
      this.#sample = { id: sample, sums: none() };
    }
    accumulate(this.#sample.sums, found);
    accumulate(this.#total, found);
    this.#added = true;
    this.#values += reference.length;
  }

  /** @returns `null` where nothing was added; what was added may hold nothing to compare */
  result(): Measured | null {
    this.#finishSample();
    if (!this.#added) return null;
    if (this.#worst === undefined) return { incomparable: this.#values === 0 ? 'empty' : 'not-finite' };
    const share = this.#total.compared / this.#values;
    const error = { sqnr: sqnrOf(this.#total), cosine: cosineOf(this.#total), worst: this.#worst };
    return share === 1 ? error : { ...error, share };
  }

  #finishSample(): void {
    if (this.#sample === undefined) return;
    const { id, sums } = this.#sample;
    this.#sample = undefined;
    if (sums.compared === 0) return;
    const candidate = { sample: id, sqnr: sqnrOf(sums) };
    const worst = this.#worst;
    if (worst === undefined || isWorse(candidate, worst)) this.#worst = candidate;
  }
}

/** Equal values are decided by the name, so that the order of the samples does not matter. */
function isWorse(a: ErrorMeasure['worst'], b: ErrorMeasure['worst']): boolean {
  const [left, right] = [a.sqnr ?? Infinity, b.sqnr ?? Infinity];
  return left === right ? a.sample < b.sample : left < right;
}

const none = (): Sums => ({ compared: 0, reference: 0, approximation: 0, error: 0 });

function accumulate(into: Sums, from: Sums): void {
  into.compared += from.compared;
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
