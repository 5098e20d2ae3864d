/** The chart of all layers, on whatever surface. */

import { ticks } from 'd3';
import { printable } from '../../../src/shared/format';
import type { Status } from '../../../src/shared/report';
import { isProblem, type Layers } from '../layers';
import type { Palette } from '../theme';
import { linePoints, PointSet } from './downsample';
import { drawLane } from './lane';
import type { Painter, Shape } from './painter';
import { layersIn, scaleDB, scaleX, type Frame, type RangeDB, type ScaleDB, type ScaleX, type View } from './scale';
import type { ScopeRun } from './scopes';

export interface Scene {
  readonly layers: Layers;
  /** What is drawn, which on its way from one run to the next is neither. */
  readonly local: Float64Array;
  readonly accumulated: Float64Array;
  /** Layers that the filter lets pass; `null`: all. */
  readonly passing: ReadonlySet<number> | null;
  readonly view: View;
  readonly range: RangeDB;
  readonly threshold: number;
  readonly levels: readonly (readonly ScopeRun[])[];
  readonly frame: Frame;
  /** Height of what stands between the plot and the scopes. */
  readonly lane: number;
  readonly palette: Palette;
}

export const SHAPES: Readonly<Record<Status, Shape>> = {
  quantized: 'square',
  float: 'circle',
  fallback: 'triangle',
};

export const AXIS_SIZE = 11;
/** Where the brackets begin below the plot. */
export const BRACKETS_AT = 8;
export const BRACKET_ROW = 20;
export const NAMES_ROW = 62;
const NARROWEST_NAME = 14;
const NAME_ANGLE = 40;
const PER_TICK = 42;
const DIMMED = 0.2;
/** Layers closer than this are a cloud: points without outlines, and of the run before only its line. */
const CROWDED = 2;
/** A label that does not fit says nothing in less. */
const LEAST_LABEL = 44;

export function markRadius(x: ScaleX): number {
  return Math.min(5, Math.max(1.8, (x(1) - x(0)) * 0.3));
}

/** Height under the plot for scopes or names. */
export function footHeight(levels: Scene['levels']): number {
  return levels.length === 0 ? NAMES_ROW : levels.length * BRACKET_ROW + 6;
}

export function drawChart(painter: Painter, scene: Scene): void {
  const { frame, view, range } = scene;
  const x = scaleX(view, frame);
  const y = scaleDB(range, frame);
  drawGrid(painter, scene, y);
  painter.clip(frame.left, 0, frame.right - frame.left, frame.bottom + 8, () => {
    drawGhost(painter, scene, x, y);
    drawLine(painter, scene, x, y);
    drawMarks(painter, scene, x, y);
  });
  drawThreshold(painter, scene, y);
  drawLane(painter, scene, x);
  if (scene.levels.length > 0) drawScopes(painter, scene, x);
  else drawNames(painter, scene, x);
}

/** Where scopes or names begin. */
export function footTop({ frame, lane }: Pick<Scene, 'frame' | 'lane'>): number {
  return frame.bottom + lane;
}

/** Half pixels are where a line of one pixel is one pixel wide. */
const crisp = (value: number): number => Math.round(value) + 0.5;

function drawGrid(painter: Painter, { frame, range, palette }: Scene, y: ScaleDB): void {
  const { left, right, top, bottom } = frame;
  const label = { fill: palette.muted, size: AXIS_SIZE, align: 'end' } as const;
  for (const value of ticks(range.low, range.high, Math.max(2, (bottom - top) / PER_TICK))) {
    const at = crisp(y(value));
    painter.line([left, at, right, at], { stroke: palette.grid, width: 1 });
    painter.text(left - 8, at, String(value).replace('-', '−'), label);
  }
  if (range.exact) painter.text(left - 8, y(Infinity), 'exact', label);
}

function drawThreshold(painter: Painter, { frame, range, palette, threshold }: Scene, y: ScaleDB): void {
  if (threshold < range.low || threshold > range.high) return;
  const at = crisp(y(threshold));
  painter.line([frame.left, at, frame.right, at], { stroke: palette.problem, width: 1, dash: [4, 4] });
}

function drawGhost(painter: Painter, { layers, view, palette, accumulated }: Scene, x: ScaleX, y: ScaleDB): void {
  const { base } = layers;
  if (base === null) return;
  const [first, last] = layersIn(view, layers.count);
  const points = new PointSet();
  const crowded = x(1) - x(0) < CROWDED;
  for (let layer = first; layer <= last && !crowded; layer += 1) {
    const value = base.local[layer]!;
    // Where nothing changed the mark of this run covers it.
    if (!Number.isNaN(value) && value !== layers.local[layer]) points.add(x(layer), y(value));
  }
  painter.line(linePoints(base.accumulated, first, Math.min(last, accumulated.length - 1), x, y), {
    stroke: palette.ghost,
    ...(crowded ? { width: 1 } : { width: 1.5, dash: [2, 3] }),
  });
  painter.marks('square', points.points, markRadius(x), { stroke: palette.ghost, width: 1.5 });
}

function drawLine(painter: Painter, { layers, accumulated, view, palette }: Scene, x: ScaleX, y: ScaleDB): void {
  const [first, last] = layersIn(view, layers.count);
  painter.line(linePoints(accumulated, first, last, x, y), { stroke: palette.line, width: 1.5 });
}

function drawMarks(painter: Painter, scene: Scene, x: ScaleX, y: ScaleDB): void {
  const { layers, local, accumulated, view, palette, threshold, passing } = scene;
  const [first, last] = layersIn(view, layers.count);
  const crowded = x(1) - x(0) < CROWDED;
  const groups = new Map<string, { shape: Shape; colour: string; dimmed: boolean; set: PointSet }>();
  for (let layer = first; layer <= last; layer += 1) {
    const own = local[layer]!;
    // What has no error of its own stands on the line of what it inherits.
    const value = Number.isNaN(own) ? accumulated[layer]! : own;
    if (Number.isNaN(value)) continue;
    const status = layers.status[layer]!;
    const colour = isProblem(layers, layer, threshold) ? palette.problem : palette[status];
    const dimmed = passing !== null && !passing.has(layer);
    const key = `${status} ${colour} ${String(dimmed)}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { shape: SHAPES[status], colour, dimmed, set: new PointSet(crowded ? 2 : 1) };
      groups.set(key, group);
    }
    group.set.add(x(layer), y(value));
  }
  const radius = markRadius(x);
  // Problems last, so that nothing hides them.
  const drawn = [...groups.values()].sort(
    (a, b) => Number(a.colour === palette.problem) - Number(b.colour === palette.problem),
  );
  for (const { shape, colour, dimmed, set } of drawn) {
    const opacity = dimmed ? DIMMED : 1;
    const paint =
      shape === 'circle'
        ? { fill: palette.background, stroke: colour, width: 1.5, opacity }
        : { fill: colour, opacity, ...(crowded ? {} : { stroke: palette.background, width: 0.75 }) };
    painter.marks(shape, set.points, radius, paint);
  }
}

function drawScopes(painter: Painter, scene: Scene, x: ScaleX): void {
  const { layers, levels, palette, view } = scene;
  const { left, right } = scene.frame;
  const bottom = footTop(scene);
  const [first, last] = layersIn(view, layers.count);
  levels.forEach((runs, level) => {
    const top = bottom + BRACKETS_AT + level * BRACKET_ROW;
    for (const run of runs) {
      if (run.last < first || run.first > last) continue;
      const from = Math.max(left, x(run.first - 0.5) + 1.5);
      const to = Math.min(right, x(run.last + 0.5) - 1.5);
      if (to - from < 1.5) continue;
      const [start, end, edge] = [crisp(from), crisp(to) - 1, crisp(top)];
      painter.line([start, edge + 4, start, edge, end, edge, end, edge + 4], { stroke: palette.muted, opacity: 0.7 });
      const style = { fill: palette.muted, size: AXIS_SIZE, align: 'middle', most: to - from - 6 } as const;
      const label = printable(run.label);
      const fits = style.most >= Math.min(LEAST_LABEL, painter.measure(label, AXIS_SIZE));
      if (fits) painter.text((from + to) / 2, top + 11, label, style);
    }
  });
}

function drawNames(painter: Painter, scene: Scene, x: ScaleX): void {
  const { layers, palette, view } = scene;
  const { left, right } = scene.frame;
  const bottom = footTop(scene);
  const spacing = x(1) - x(0);
  const [first, last] = layersIn(view, layers.count);
  const style = { fill: palette.muted, size: AXIS_SIZE } as const;
  if (spacing < NARROWEST_NAME) {
    for (const layer of ticks(view[0], view[1], (right - left) / 90).filter(Number.isInteger)) {
      const at = crisp(x(layer));
      painter.line([at, bottom, at, bottom + 5], { stroke: palette.muted });
      painter.text(at, bottom + 14, String(layer), { ...style, align: 'middle' });
    }
    painter.text(left, bottom + 32, 'layers in the order of the graph; zoom in for their names', style);
    return;
  }
  const most = (NAMES_ROW - 12) / Math.sin((NAME_ANGLE * Math.PI) / 180);
  for (let layer = first; layer <= last; layer += 1) {
    const at = x(layer);
    if (at < left || at > right) continue;
    const name = printable(layers.name[layer]!);
    painter.text(at, bottom + 8, name, { ...style, align: 'end', rotate: -NAME_ANGLE, most });
  }
}
