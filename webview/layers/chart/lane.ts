/** Under the plot: how much of the error at the outputs each layer makes, and its verdict. */

import { VERDICTS, type Verdict } from '../../../src/shared/verdicts';
import type { Blame, Layers } from '../layers';
import type { Palette } from '../theme';
import { PointSet } from './downsample';
import type { Painter, Shape } from './painter';
import { layersIn, type Frame, type ScaleX, type View } from './scale';

/** Between the plot and the bars, the bars, and their signs. */
const GAP = 22;
const BARS = 30;
const LABEL = 11;
const WIDEST_BAR = 14;
/** Layers closer than this leave room for the signs of culprits alone. */
const ROOM = 9;

export const VERDICT_SHAPES: Readonly<Record<Exclude<Verdict, 'harmless'>, Shape>> = {
  culprit: 'circle',
  amplifier: 'diamond',
  victim: 'diamond',
};

/** Nothing where nobody has asked. */
export function laneHeight({ blame }: Pick<Layers, 'blame'>): number {
  return blame === null ? 0 : GAP + BARS;
}

/** The share that fills the lane: a round number, so that a run again rarely changes it. */
export function fullShare({ share }: Pick<Blame, 'share'>): number {
  const most = share.reduce((a, b) => (b > a ? b : a), 0);
  return [1, 2, 5, 10, 20, 50].find((candidate) => candidate >= most) ?? 100;
}

export interface Bar {
  readonly x: number;
  readonly share: number;
  readonly verdict: Verdict;
}

/** Of several layers in one pixel column the largest share counts, and the gravest verdict. */
export function laneBars(blame: Blame, view: View, x: (layer: number) => number): Bar[] {
  const [first, last] = layersIn(view, blame.share.length);
  const bars = new Map<number, Bar>();
  for (let layer = first; layer <= last; layer += 1) {
    const verdict = blame.verdict[layer] ?? null;
    if (verdict === null) continue;
    const share = blame.share[layer]!;
    const column = Math.round(x(layer));
    const other = bars.get(column);
    const graver = other !== undefined && VERDICTS.indexOf(other.verdict) < VERDICTS.indexOf(verdict);
    if (other === undefined) bars.set(column, { x: x(layer), share, verdict });
    else
      bars.set(column, { x: other.x, share: Math.max(other.share, share), verdict: graver ? other.verdict : verdict });
  }
  return [...bars.values()];
}

interface Lane {
  readonly layers: Layers;
  readonly view: View;
  readonly frame: Frame;
  readonly palette: Palette;
}

export function drawLane(painter: Painter, { layers: { blame }, view, frame, palette }: Lane, x: ScaleX): void {
  if (blame === null) return;
  const { left, right, bottom } = frame;
  const floor = Math.round(bottom + GAP + BARS) - 0.5;
  const full = fullShare(blame);
  const label = { fill: palette.muted, size: LABEL, align: 'end' } as const;
  painter.line([left, floor, right, floor], { stroke: palette.grid, width: 1 });
  painter.text(left - 8, floor - BARS, `${full} %`, label);
  painter.text(left - 8, floor - BARS / 2 + 3, 'share', label);
  const spacing = x(1) - x(0);
  const width = Math.max(1, Math.min(WIDEST_BAR, spacing * 0.6));
  const bars = laneBars(blame, view, x);
  const height = (share: number): number => (BARS * Math.min(share, full)) / full;
  painter.clip(left - 1, bottom + 4, right - left + 2, GAP + BARS, () => {
    for (const verdict of VERDICTS.toReversed()) {
      for (const bar of bars) {
        if (bar.verdict !== verdict || bar.share <= 0) continue;
        const top = Math.max(1, height(bar.share));
        painter.rect(bar.x - width / 2, floor - top, width, top, { fill: palette[verdict] });
      }
    }
    drawSigns(painter, bars, palette, (share) => floor - height(share) - 6, spacing);
  });
}

/** What is to be acted on last, so that nothing hides it. */
function drawSigns(
  painter: Painter,
  bars: readonly Bar[],
  palette: Palette,
  y: (share: number) => number,
  spacing: number,
): void {
  for (const verdict of ['victim', 'amplifier', 'culprit'] as const) {
    if (verdict !== 'culprit' && spacing < ROOM) continue;
    const set = new PointSet();
    for (const bar of bars) if (bar.verdict === verdict) set.add(bar.x, y(bar.share));
    const paint =
      verdict === 'victim'
        ? { stroke: palette.victim, width: 1.25 }
        : { fill: palette[verdict], stroke: palette.background, width: 0.75 };
    painter.marks(VERDICT_SHAPES[verdict], set.points, verdict === 'victim' ? 3 : 4, paint);
  }
}
