/** The errors of the parts of outputs, sample by sample; only sums are kept. */

import { isIncomparable, sqnrOf, type Measured } from '../../shared/measured';
import type { OutputReport, PartReport } from '../../shared/report';
import { ErrorAccumulator, isComparable } from '../analyze/errors';
import type { Graph } from '../onnx/graph';
import type { TensorInfo } from '../runtime/session';
import { bytesPerElement } from '../tensor';
import { OutputParts, RANGE_SAMPLES, type Outputs } from './outputParts';

/** Of units of one set of outputs, as many as there are. */
export class UnitErrors {
  readonly #parts: OutputParts;
  readonly #errors: (ErrorAccumulator | undefined)[] = [];

  constructor(parts: OutputParts) {
    this.#parts = parts;
  }

  /** Outputs that are missing on either side, or of another size, are left out. */
  add(sample: string, reference: Outputs, approximation: Outputs): void {
    for (const output of new Set(this.#parts.units.map((unit) => unit.output))) {
      const [x, y] = [reference[output], approximation[output]];
      if (x === undefined || y === undefined) continue;
      const others = this.#parts.pieces(output, y);
      for (const [index, { unit, values }] of this.#parts.pieces(output, x).entries()) {
        const other = others[index];
        if (other === undefined || !isComparable(values, other.values)) continue;
        (this.#errors[unit] ??= new ErrorAccumulator()).add(sample, values, other.values);
      }
    }
  }

  /** One entry a unit. */
  results(): readonly (Measured | null)[] {
    return this.#parts.units.map((_, unit) => this.#errors[unit]?.result() ?? null);
  }

  /** Of the unit with the lowest SQNR; what is not comparable comes last, and `null` where nothing was compared. */
  worst(): Measured | null {
    const found = this.results().filter((error) => error !== null);
    const [first, ...others] = found;
    if (first === undefined) return null;
    const rank = (error: Measured): number => sqnrOf(error) ?? Infinity;
    return others.reduce((a, b) => (rank(b) < rank(a) || (isIncomparable(a) && !isIncomparable(b)) ? b : a), first);
  }
}

/** So much of the first samples is held until their ranges tell the parts. */
const HELD_BYTES = 64 * 2 ** 20;

/** Learns the parts from the first samples, while all of them pass by. */
export class PartErrors {
  readonly #graph: Graph;
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  #held: { readonly sample: string; readonly fp32: Outputs; readonly int8: Outputs }[] = [];
  #bytes = 0;
  #learned: { readonly parts: OutputParts; readonly errors: UnitErrors } | undefined;

  /** @param graph of the fp32 model */
  constructor(graph: Graph, tensors: ReadonlyMap<string, TensorInfo>) {
    this.#graph = graph;
    this.#tensors = tensors;
  }

  add(sample: string, fp32: Outputs, int8: Outputs): void {
    if (this.#learned !== undefined) {
      this.#learned.errors.add(sample, fp32, int8);
      return;
    }
    this.#held.push({ sample, fp32, int8 });
    for (const { data, type } of Object.values(fp32)) this.#bytes += 2 * data.length * bytesPerElement(type);
    if (this.#held.length >= RANGE_SAMPLES || this.#bytes > HELD_BYTES) this.#learn();
  }

  #learn(): { readonly parts: OutputParts; readonly errors: UnitErrors } {
    if (this.#learned !== undefined) return this.#learned;
    const parts = new OutputParts(
      this.#graph,
      this.#tensors,
      this.#held.map(({ fp32 }) => fp32),
    );
    const errors = new UnitErrors(parts);
    for (const { sample, fp32, int8 } of this.#held) errors.add(sample, fp32, int8);
    this.#held = [];
    this.#learned = { parts, errors };
    return this.#learned;
  }

  /** By name of the output; outputs of one piece are missing. */
  result(): ReadonlyMap<string, readonly PartReport[]> {
    const { parts, errors } = this.#learn();
    const results = errors.results();
    const found = new Map<string, PartReport[]>();
    for (const [index, { output, part }] of parts.units.entries()) {
      const error = results[index];
      if (part === null || error === null || error === undefined) continue;
      found.set(output, [...(found.get(output) ?? []), { ...part, error }]);
    }
    return found;
  }
}

/** Outputs with their parts, where they have several. */
export function withParts(
  outputs: readonly OutputReport[],
  parts: ReadonlyMap<string, readonly PartReport[]>,
): OutputReport[] {
  return outputs.map((output) => {
    const own = parts.get(output.name);
    return own === undefined ? output : { ...output, parts: own };
  });
}
