/** Which layers the table shows, and in which order. Pure. */

import type { Status } from '../../src/shared/report';
import { VERDICTS } from '../../src/shared/verdicts';
import { ratioOf, type Layers, type MeasureName } from './layers';

export const SORT_KEYS = [
  'graph',
  'name',
  'op',
  'status',
  'local',
  'localChange',
  'accumulated',
  'accumulatedChange',
  'fp32',
  'int8',
  'macs',
  'verdict',
  'share',
  'ratio',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Sort {
  readonly key: SortKey;
  readonly descending: boolean;
}

export interface Filter {
  /** Words that name, operator or kernel must hold, in any order and case. */
  readonly text: string;
  readonly statuses: readonly Status[];
}

export const STATUSES = ['quantized', 'float', 'fallback'] as const satisfies readonly Status[];

/** What one would look at first: the lowest error, the longest time, the most work. */
export const FIRST_DESCENDING: ReadonlySet<SortKey> = new Set(['fp32', 'int8', 'macs', 'share']);

/** Change against the base run; NaN where either was not measured, 0 between two exact ones. */
export function changeOf(layers: Layers, measure: MeasureName, layer: number): number {
  if (layers.base === null) return NaN;
  const now = layers[measure][layer]!;
  const then = layers.base[measure][layer]!;
  return now === then ? 0 : now - then;
}

type KeyOf = (layers: Layers, layer: number) => number | string;

const VALUES: Readonly<Record<SortKey, KeyOf>> = {
  graph: (_, layer) => layer,
  name: ({ name }, layer) => name[layer]!,
  op: ({ op }, layer) => op[layer]!,
  status: ({ status }, layer) => STATUSES.indexOf(status[layer]!),
  local: ({ local }, layer) => local[layer]!,
  localChange: (layers, layer) => changeOf(layers, 'local', layer),
  accumulated: ({ accumulated }, layer) => accumulated[layer]!,
  accumulatedChange: (layers, layer) => changeOf(layers, 'accumulated', layer),
  fp32: ({ fp32 }, layer) => fp32[layer]!,
  int8: ({ int8 }, layer) => int8[layer]!,
  macs: ({ macs }, layer) => macs[layer]!,
  verdict: ({ blame }, layer) => {
    const verdict = blame?.verdict[layer] ?? null;
    // Of one verdict, the larger share first.
    return verdict === null ? NaN : VERDICTS.indexOf(verdict) + 1 - blame!.share[layer]! / 101;
  },
  share: ({ blame }, layer) => blame?.share[layer] ?? NaN,
  ratio: ratioOf,
};

const TEXT = new Intl.Collator('en', { numeric: true });

/** The layers that pass, sorted. What was not measured comes last either way; equal ones stay in graph order. */
export function arrange(layers: Layers, filter: Filter, { key, descending }: Sort): number[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const statuses = new Set(filter.statuses);
  const value = VALUES[key];
  const kept: { readonly layer: number; readonly value: number | string }[] = [];
  for (let layer = 0; layer < layers.count; layer += 1) {
    if (statuses.has(layers.status[layer]!) && holds(layers, layer, words)) {
      kept.push({ layer, value: value(layers, layer) });
    }
  }
  const sign = descending ? -1 : 1;
  return kept
    .sort((a, b) => {
      const [first, second] = [a.value, b.value];
      if (Number.isNaN(first) || Number.isNaN(second)) {
        return Number(Number.isNaN(first)) - Number(Number.isNaN(second)) || a.layer - b.layer;
      }
      const order =
        typeof first === 'string' || typeof second === 'string'
          ? TEXT.compare(String(first), String(second))
          : first === second
            ? 0
            : first - second;
      return sign * order || a.layer - b.layer;
    })
    .map(({ layer }) => layer);
}

function holds({ name, op, kernel }: Layers, layer: number, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${name[layer]!} ${op[layer]!} ${kernel[layer] ?? ''}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
