/** What the pointer means. Pure. */

import { bisector } from 'd3';
import { BRACKET_ROW, BRACKETS_AT, footTop, type Scene } from './draw';
import { layersIn, scaleDB, scaleX } from './scale';
import type { ScopeRun } from './scopes';

/** Pixels around the pointer in which a layer is looked for. */
const REACH = 12;
/** A mark beside the pointer is nearer than one above it: one reads the chart by columns. */
const FLATTEN = 0.35;

/** The layer that a place in the plot means; `undefined` outside of the plot. */
export function layerAt(scene: Scene, px: number, py: number): number | undefined {
  const { layers, view, range, frame } = scene;
  if (py > footTop(scene) + BRACKETS_AT || px < frame.left - REACH) return undefined;
  const x = scaleX(view, frame);
  const y = scaleDB(range, frame);
  const middle = x.invert(px);
  const reach = Math.max(1, REACH / (x(1) - x(0)));
  const [first, last] = layersIn([middle - reach, middle + reach], layers.count);
  let [best, distance]: [number | undefined, number] = [undefined, Infinity];
  for (let layer = first; layer <= last; layer += 1) {
    for (const values of [layers.local, layers.accumulated]) {
      const value = values[layer]!;
      const dy = Number.isNaN(value) ? frame.bottom - frame.top : y(value) - py;
      const found = Math.hypot(x(layer) - px, dy * FLATTEN);
      if (found < distance) [best, distance] = [layer, found];
    }
  }
  return best;
}

const lastOf = bisector((run: ScopeRun) => run.last);

/** The scope whose bracket is there. */
export function scopeAt(scene: Scene, px: number, py: number): ScopeRun | undefined {
  const { layers, levels, view, frame } = scene;
  const top = footTop(scene) + BRACKETS_AT;
  if (levels.length === 0 || py <= top || layers.count === 0) return undefined;
  const runs = levels[Math.min(levels.length - 1, Math.floor((py - top) / BRACKET_ROW))]!;
  const layer = Math.round(scaleX(view, frame).invert(px));
  const found = runs[lastOf.left(runs, layer)];
  return found !== undefined && found.first <= layer ? found : undefined;
}
