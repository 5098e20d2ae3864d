/** The layers of a report as columns, put together from the pages of the host. */

import type { ReasonCode } from '../../src/shared/reasons';
import type { Status } from '../../src/shared/report';
import type { Decibels, RowPage } from '../../src/shared/viewProtocol';

/** Errors and times of one run, by layer. NaN: not measured. Infinity: no error at all. */
export interface Measures {
  readonly local: Float64Array;
  readonly accumulated: Float64Array;
  readonly int8: Float64Array;
  readonly fp32: Float64Array;
}
export type MeasureName = keyof Measures;
export const MEASURES = ['local', 'accumulated', 'int8', 'fp32'] as const satisfies readonly MeasureName[];

export interface Layers extends Measures {
  readonly count: number;
  readonly name: readonly string[];
  readonly op: readonly string[];
  readonly scope: readonly string[];
  readonly status: readonly Status[];
  readonly kernel: readonly (string | null)[];
  readonly reason: readonly (ReasonCode | null)[];
  readonly macs: readonly number[];
  /** The same layers in the run it is compared with. */
  readonly base: (Measures & { readonly status: readonly (Status | null)[] }) | null;
  /** Place of each layer among those with an error of their own, 0 is the worst; -1 for the others. */
  readonly rank: Int32Array;
  /** How many layers have a rank. */
  readonly ranked: number;
}

type Column = Readonly<Record<MeasureName, readonly Decibels[]>>;

function decode(pages: readonly Column[], name: MeasureName): Float64Array {
  return Float64Array.from(
    pages.flatMap((page) => page[name]),
    (value) => (value === 'exact' ? Infinity : (value ?? NaN)),
  );
}

function measures(pages: readonly Column[]): Measures {
  return {
    local: decode(pages, 'local'),
    accumulated: decode(pages, 'accumulated'),
    int8: decode(pages, 'int8'),
    fp32: decode(pages, 'fp32'),
  };
}

/** @param pages all of them, in order */
export function layersOf(pages: readonly RowPage[]): Layers {
  const own = measures(pages);
  const bases = pages.map(({ base }) => base);
  const compared = bases.every((base) => base !== null) && bases.length > 0;
  const order = sortedByError(own.local);
  const rank = new Int32Array(own.local.length).fill(-1);
  order.forEach((layer, place) => {
    rank[layer] = place;
  });
  return {
    ...own,
    count: own.local.length,
    name: pages.flatMap(({ name }) => name),
    op: pages.flatMap(({ op }) => op),
    scope: pages.flatMap(({ scope }) => scope),
    status: pages.flatMap(({ status }) => status),
    kernel: pages.flatMap(({ kernel }) => kernel),
    reason: pages.flatMap(({ reason }) => reason),
    macs: pages.flatMap(({ macs }) => macs),
    base: compared ? { ...measures(bases), status: bases.flatMap(({ status }) => status) } : null,
    rank,
    ranked: order.length,
  };
}

/** Layers with an error of their own, the worst first. */
export function sortedByError(local: Float64Array): number[] {
  return Array.from(local, (_, layer) => layer)
    .filter((layer) => !Number.isNaN(local[layer]!))
    .sort((a, b) => {
      const [first, second] = [local[a]!, local[b]!];
      // Two exact ones differ by NaN.
      return first === second ? a - b : first - second;
    });
}

/** What a layer is judged by: its own error, or what reaches its output where it has none. */
export function errorOf(layers: Measures, layer: number): number {
  const local = layers.local[layer]!;
  return Number.isNaN(local) ? layers.accumulated[layer]! : local;
}

/** Whether the layer itself loses more than is wanted; what it only inherits is not its fault. */
export function isProblem(layers: Measures, layer: number, threshold: number): boolean {
  return layers.local[layer]! < threshold;
}
