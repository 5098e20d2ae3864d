/** In which order layers are told. Pure. */

import type { LayerReport } from './report';
import { sqnrOf } from './measured';

export const SORTS = ['order', 'sqnr', 'time'] as const;
export type Sort = (typeof SORTS)[number];

/** Larger comes first; what was not measured comes last. Equal layers keep the order of the graph. */
const SORT_KEYS: Readonly<Record<Sort, ((layer: LayerReport) => number) | undefined>> = {
  order: undefined,
  // The layer's own error, not what it inherits; the lowest first. No error at all is the best there is.
  sqnr: ({ local }) => {
    const own = sqnrOf(local);
    return own === undefined ? -Infinity : Math.max(-Number.MAX_VALUE, -own);
  },
  time: ({ time }) => time.int8 ?? -Infinity,
};

export function sortLayers(layers: readonly LayerReport[], sort: Sort): readonly LayerReport[] {
  const key = SORT_KEYS[sort];
  if (key === undefined) return layers;
  return layers.toSorted((a, b) => {
    const [first, second] = [key(a), key(b)];
    return first === second ? 0 : second - first;
  });
}
