/** Where things stand in the chart. Pure. */

import { scaleLinear, type ScaleLinear } from 'd3';
import type { Layers } from '../layers';

/** Edges of the plot in pixels. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The decibels of the axis. */
export interface RangeDB {
  readonly low: number;
  readonly high: number;
  /** Whether layers without any error need a place above it. */
  readonly exact: boolean;
}

/** Both grow in steps, so that a run again rarely moves the axis. */
const LOW_STEP = 10;
const HIGH_STEP = 20;
const LEAST_HIGH = 40;
/** Height of the band of layers without any error. */
const EXACT_BAND = 22;

export function rangeDB(layers: Layers): RangeDB {
  let [low, high, exact] = [0, LEAST_HIGH, false];
  const sides = layers.base === null ? [layers] : [layers, layers.base];
  for (const { local, accumulated } of sides) {
    for (const values of [local, accumulated]) {
      for (const value of values) {
        if (value === Infinity) exact = true;
        else if (value < low) low = value;
        else if (value > high) high = value;
      }
    }
  }
  return { low: Math.floor(low / LOW_STEP) * LOW_STEP, high: Math.ceil(high / HIGH_STEP) * HIGH_STEP, exact };
}

/** Decibels → pixels; no error at all stands on a line of its own above the rest. */
export type ScaleDB = (value: number) => number;

export function scaleDB({ low, high, exact }: RangeDB, { top, bottom }: Pick<Frame, 'top' | 'bottom'>): ScaleDB {
  const highest = exact ? top + EXACT_BAND : top;
  const perDB = (bottom - highest) / (high - low);
  return (value) => (value === Infinity ? top + EXACT_BAND / 3 : bottom - (value - low) * perDB);
}

/** The layers in view, from the first's left edge to the last's right edge: [-0.5, count − 0.5] are all. */
export type View = readonly [from: number, to: number];

export function wholeView(count: number): View {
  return [-0.5, count - 0.5];
}

export type ScaleX = ScaleLinear<number, number>;

export function scaleX(view: View, { left, right }: Pick<Frame, 'left' | 'right'>): ScaleX {
  return scaleLinear(view, [left, right]);
}

/** Fewer layers than this are not zoomed into. */
export const LEAST_IN_VIEW = 4;

/** A view moved and cut so that it shows layers only; `null` where it shows all. */
export function fitView([from, to]: View, count: number): View | null {
  const [first, last] = wholeView(count);
  const size = Math.min(count, Math.max(Math.min(LEAST_IN_VIEW, count), to - from));
  if (size > count - 1e-6) return null;
  const middle = (from + to) / 2;
  const start = Math.min(last - size, Math.max(first, middle - size / 2));
  return [start, start + size];
}

/** @param by above 1 shows fewer layers; `around` stays where it is */
export function zoomView(view: View, by: number, around: number, count: number): View | null {
  const [from, to] = view;
  return fitView([around - (around - from) / by, around + (to - around) / by], count);
}

/** @param by share of what is shown, to the right where positive */
export function panView([from, to]: View, by: number, count: number): View | null {
  const step = (to - from) * by;
  return fitView([from + step, to + step], count);
}

/** Moves the view just far enough that a layer is inside, with some room around it. */
export function revealIn(view: View, layer: number, count: number): View | null {
  const [from, to] = view;
  const room = Math.min(2, (to - from) / 8);
  if (layer - room < from) return panView(view, (layer - room - from) / (to - from), count);
  if (layer + room > to) return panView(view, (layer + room - to) / (to - from), count);
  return view;
}

/** First and last layer that a view touches, and one more to each side for lines that leave it. */
export function layersIn([from, to]: View, count: number): readonly [first: number, last: number] {
  return [Math.max(0, Math.floor(from) - 1), Math.min(count - 1, Math.ceil(to) + 1)];
}
