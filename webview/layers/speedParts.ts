/** Where the time of both models goes, from the times of their layers. Pure. */

import { ratioOf, type Layers } from './layers';

/** In the order in which they are drawn. */
export const SPEED_PARTS = ['faster', 'slower', 'float', 'conversions'] as const;
export type SpeedPart = (typeof SPEED_PARTS)[number];

/** Microseconds of one inference. */
export interface PartTimes {
  readonly fp32: number;
  readonly int8: number;
}

export interface Loss extends PartTimes {
  readonly layer: number;
}

/** Less than this is noise of the timing of one kernel. */
const SLOWER = 1.1;

/** @returns `undefined` where the layers were not timed */
export function speedParts(
  layers: Layers,
  conversions: { readonly int8: number | null; readonly fp32: number | null },
): Readonly<Record<SpeedPart, PartTimes>> | undefined {
  const parts = Object.fromEntries(SPEED_PARTS.map((part) => [part, { fp32: 0, int8: 0 }])) as Record<
    SpeedPart,
    { fp32: number; int8: number }
  >;
  let timed = 0;
  for (let layer = 0; layer < layers.count; layer += 1) {
    const [fp32, int8] = [layers.fp32[layer]!, layers.int8[layer]!];
    if (Number.isNaN(fp32) && Number.isNaN(int8)) continue;
    timed += 1;
    const slow = ratioOf(layers, layer) < 1 / SLOWER;
    const part = parts[layers.status[layer] !== 'quantized' ? 'float' : slow ? 'slower' : 'faster'];
    part.fp32 += fp32 || 0;
    part.int8 += int8 || 0;
  }
  parts.conversions.fp32 = conversions.fp32 ?? 0;
  parts.conversions.int8 = conversions.int8 ?? 0;
  return timed === 0 ? undefined : parts;
}

/** The layers that lose most time in the int8 model, the worst first. */
export function losses(layers: Layers, most: number): Loss[] {
  const found = Array.from({ length: layers.count }, (_, layer): Loss => {
    return { layer, fp32: layers.fp32[layer]!, int8: layers.int8[layer]! };
  });
  return found
    .filter(({ fp32, int8 }) => int8 > SLOWER * fp32)
    .sort((a, b) => b.int8 - b.fp32 - (a.int8 - a.fp32))
    .slice(0, most);
}
