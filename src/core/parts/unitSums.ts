/** Signal and error of every unit of the outputs, sample by sample, so that any choice of samples can be pooled. */

import { assertComparable } from '../analyze/errors';
import { sumsOf } from '../analyze/sums';
import { toFloat32 } from '../tensor';
import type { OutputParts, Outputs } from './outputParts';

export class UnitSums {
  readonly #parts: OutputParts;
  readonly #signal: readonly Float64Array[];
  readonly #error: readonly Float64Array[];

  constructor(parts: OutputParts, samples: number) {
    this.#parts = parts;
    this.#signal = parts.units.map(() => new Float64Array(samples));
    this.#error = parts.units.map(() => new Float64Array(samples));
  }

  /** @throws `plan-impossible` for an output of another size */
  set(sample: number, reference: Outputs, made: Outputs): void {
    for (const [name, x] of Object.entries(reference)) {
      const y = made[name];
      if (y === undefined) continue;
      assertComparable(name, toFloat32(x), toFloat32(y));
      const pieces = this.#parts.pieces(name, y);
      for (const [i, { unit, values }] of this.#parts.pieces(name, x).entries()) {
        const sums = sumsOf(values, pieces[i]?.values ?? values);
        this.#signal[unit]![sample] = sums.reference;
        this.#error[unit]![sample] = sums.error;
      }
    }
  }

  /** dB of the worst unit, pooled over these samples; `Infinity` without any error. */
  worst(samples: Int32Array): number {
    const each = this.#error.map((errors, unit) => {
      let [signal, error] = [0, 0];
      for (const sample of samples) {
        signal += this.#signal[unit]![sample]!;
        error += errors[sample]!;
      }
      return error === 0 ? Infinity : 10 * Math.log10(signal / error);
    });
    return each.reduce((a, b) => Math.min(a, b), Infinity);
  }
}
