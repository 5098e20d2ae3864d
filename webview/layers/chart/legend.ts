/** The legend of the chart, in as many lines as its width needs. */

import { decibels } from '../../../src/shared/format';
import type { Verdict } from '../../../src/shared/verdicts';
import type { Palette } from '../theme';
import { VERDICT_SHAPES } from './lane';
import type { Painter, Shape } from './painter';

interface Item {
  readonly label: string;
  readonly width: number;
  readonly draw: (painter: Painter, x: number, y: number) => void;
}

export interface LegendOptions {
  readonly palette: Palette;
  readonly threshold: number;
  readonly statuses: Readonly<Record<'quantized' | 'float' | 'fallback', number>>;
  /** How many layers have each verdict; `null` where nobody has asked. */
  readonly verdicts: Readonly<Record<Verdict, number>> | null;
  /** What the drawing behind is: `previous run`; `null` where there is none. */
  readonly base: string | null;
}

const SIZE = 11;
const LINE = 18;
const SYMBOL = 16;
const GAP = 18;

function items({ palette, threshold, statuses, verdicts, base }: LegendOptions, painter: Painter): Item[] {
  const item = (label: string, symbol: number, draw: Item['draw']): Item => ({
    label,
    width: symbol + painter.measure(label, SIZE),
    draw: (target, x, y) => {
      draw(target, x, y);
      target.text(x + symbol, y, label, { fill: palette.text, size: SIZE });
    },
  });
  const mark = (label: string, shape: Shape, colour: string, hollow = false): Item =>
    item(label, SYMBOL, (target, x, y) => {
      target.marks(shape, [x + 6, y], 4, hollow ? { stroke: colour, width: 1.5 } : { fill: colour });
    });
  const stroke = (label: string, colour: string, width: number, dash: readonly number[]): Item =>
    item(label, 28, (target, x, y) => {
      target.line([x, y, x + 22, y], { stroke: colour, width, dash });
    });
  return [
    ...(statuses.quantized > 0 ? [mark('int8, its own error', 'square', palette.quantized)] : []),
    ...(statuses.float > 0 ? [mark('float', 'circle', palette.float, true)] : []),
    ...(statuses.fallback > 0 ? [mark('fallback', 'triangle', palette.fallback)] : []),
    stroke('accumulated', palette.line, 1.5, []),
    stroke(`threshold ${decibels(threshold)}`, palette.problem, 1, [4, 4]),
    ...(['culprit', 'amplifier', 'victim'] as const)
      .filter((verdict) => (verdicts?.[verdict] ?? 0) > 0)
      .map((verdict) => mark(verdict, VERDICT_SHAPES[verdict], palette[verdict], verdict === 'victim')),
    ...(base === null ? [] : [stroke(base, palette.ghost, 1.5, [2, 3])]),
  ];
}

/** Draws to the left of `right` and below `top`; without `draw` it only measures. Returns its height. */
export function legend(painter: Painter, options: LegendOptions, box: Box, draw = true): number {
  const lines: Item[][] = [[]];
  let used = 0;
  for (const item of items(options, painter)) {
    const needed = item.width + (used === 0 ? 0 : GAP);
    if (used + needed > box.right - box.left && used > 0) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)!.push(item);
    used += item.width + (used === 0 ? 0 : GAP);
  }
  if (draw) {
    lines.forEach((line, index) => {
      const width = line.reduce((sum, item) => sum + item.width + GAP, -GAP);
      let x = Math.max(box.left, box.right - width);
      for (const item of line) {
        item.draw(painter, x, box.top + LINE * (index + 0.5));
        x += item.width + GAP;
      }
    });
  }
  return lines.length * LINE;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
}
