/** The layers of a report as columns, put together from the pages of the host. */

import type { Status } from '../../src/shared/report';
import { VERDICTS, type Verdict } from '../../src/shared/verdicts';
import type { Decibels } from '../../src/shared/measured';
import type { LayerColumns, MeasureColumns, RowPage } from '../../src/shared/viewFacts';

/** Errors and times of one run, by layer. NaN: not measured. Infinity: no error at all. */
export interface Measures {
  readonly local: Float64Array;
  readonly accumulated: Float64Array;
  readonly int8: Float64Array;
  readonly fp32: Float64Array;
}
export type MeasureName = keyof Measures;
export const MEASURES = ['local', 'accumulated', 'int8', 'fp32'] as const satisfies readonly MeasureName[];

export interface Layers extends LayerColumns, Measures {
  readonly count: number;
  /** Layers of which nothing could be compared; their number is NaN, as that of those that were not measured. */
  readonly incomparable: Readonly<Record<'local' | 'accumulated', ReadonlySet<number>>>;
  /** The same layers in the run it is compared with. */
  readonly base: (Measures & { readonly status: readonly (Status | null)[] }) | null;
  /** Where the error comes from; `null` as long as nobody has asked. */
  readonly blame: Blame | null;
  /** Place of each layer among those with an error of their own, 0 is the worst; -1 for the others. */
  readonly rank: Int32Array;
  /** How many layers have a rank. */
  readonly ranked: number;
}

export interface Blame {
  /** `null` for a layer that is not in int8. */
  readonly verdict: readonly (Verdict | null)[];
  /** Percent of the error at the model's outputs; NaN where there is no verdict. */
  readonly share: Float64Array;
  /** dB at the model's outputs with this layer alone in int8. */
  readonly only: Float64Array;
}

function numbers(values: readonly Decibels[]): Float64Array {
  return Float64Array.from(values, (value) => (value === 'exact' ? Infinity : typeof value === 'number' ? value : NaN));
}

function decode(pages: readonly MeasureColumns[], name: MeasureName): Float64Array {
  return numbers(pages.flatMap((page) => page[name]));
}

function silent(pages: readonly MeasureColumns[], name: 'local' | 'accumulated'): Set<number> {
  const all = pages.flatMap((page) => page[name]);
  return new Set(all.flatMap((value, layer) => (value === 'incomparable' ? [layer] : [])));
}

function blameOf(pages: readonly RowPage[]): Blame | null {
  const found = pages.flatMap(({ blame }) => blame ?? []);
  if (found.length === 0) return null;
  return {
    verdict: found.flatMap(({ verdict }) => verdict),
    share: numbers(found.flatMap(({ share }) => share)),
    only: numbers(found.flatMap(({ only }) => only)),
  };
}

function measures(pages: readonly MeasureColumns[]): Measures {
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
    incomparable: { local: silent(pages, 'local'), accumulated: silent(pages, 'accumulated') },
    name: pages.flatMap(({ name }) => name),
    op: pages.flatMap(({ op }) => op),
    scope: pages.flatMap(({ scope }) => scope),
    status: pages.flatMap(({ status }) => status),
    kernel: pages.flatMap(({ kernel }) => kernel),
    reason: pages.flatMap(({ reason }) => reason),
    macs: pages.flatMap(({ macs }) => macs),
    blame: blameOf(pages),
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

/** How many times as fast as in fp32 a layer is in int8; NaN where a time was not measured. */
export function ratioOf({ fp32, int8 }: Measures, layer: number): number {
  const ratio = fp32[layer]! / int8[layer]!;
  return Number.isFinite(ratio) ? ratio : NaN;
}

/** Layers with a verdict, the one to look at first first. */
export function sortedByBlame({ verdict, share }: Blame): number[] {
  const rank = (layer: number): number => VERDICTS.indexOf(verdict[layer]!);
  return Array.from(share, (_, layer) => layer)
    .filter((layer) => verdict[layer] !== null)
    .sort((a, b) => rank(a) - rank(b) || share[b]! - share[a]! || a - b);
}
