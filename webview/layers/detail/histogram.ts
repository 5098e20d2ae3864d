/** Where the values of a tensor lie, what each observer would clip, and the grid that int8 leaves. */

import { area, curveStep, extent, max, scaleLinear, scaleSymlog, ticks } from 'd3';
import { number3, percent } from '../../../src/shared/format';
import type { ActivationView } from '../../../src/shared/viewFacts';
import { svg } from '../dom';

const LEFT = 104;
const RIGHT = 74;
const PLOT = 84;
const AXIS = 20;
const ROW = 17;
/** Ticks of the grid closer than this run into one another. */
const LEAST_GRID = 5;
/** Shares below this are not worth digits. */
const FEW = 1e-4;

export function histogram(view: ActivationView, width: number, logCounts: boolean): SVGSVGElement {
  const { histogram: bins, observers, inUse, grid } = view;
  const rows = observers.length + (grid === null ? 0 : 1);
  const height = PLOT + AXIS + rows * ROW + 4;
  const ends = [bins, ...observers].flatMap(({ min, max: most }) => [min, most]);
  const [low = 0, high = 1] = extent(ends);
  const x = scaleLinear([low, high === low ? low + 1 : high], [LEFT, Math.max(LEFT + 40, width - RIGHT)]);
  const root = svg('svg', {
    class: 'histogram',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-label': describe(view),
  });
  drawBins(root, view, x, logCounts);
  drawAxis(root, x);
  observers.forEach((observer, i) => {
    const used = inUse?.observer === observer.observer;
    const range = used ? inUse : observer;
    bracketRow(root, x, PLOT + AXIS + (i + 0.5) * ROW, {
      label: observer.observer,
      min: range.min,
      max: range.max,
      note: used ? `in use` : clippedText(observer.clipped),
      hint: `${observer.observer}: ${number3(range.min)} … ${number3(range.max)}, clips ${clippedText(observer.clipped)} of the values`,
      used,
    });
  });
  if (grid !== null) gridRow(root, x, PLOT + AXIS + (observers.length + 0.5) * ROW, grid);
  return root;
}

type Scale = (value: number) => number;

function clippedText(share: number): string {
  if (share === 0) return 'clips none';
  return share < FEW ? 'clips <0.01 %' : `clips ${percent(100 * share)}`;
}

function describe({ histogram: { min, max: most }, inUse, observers }: ActivationView): string {
  const used = inUse === null ? '' : ` In use: ${inUse.observer}, ${number3(inUse.min)} to ${number3(inUse.max)}.`;
  const others = observers
    .map(
      ({ observer, min: from, max: to, clipped }) =>
        `${observer} ${number3(from)} to ${number3(to)}, ${clippedText(clipped)}`,
    )
    .join('; ');
  return `Histogram of the measured values, ${number3(min)} to ${number3(most)}.${used} Observers: ${others}.`;
}

function drawBins(root: SVGElement, { histogram: bins, inUse }: ActivationView, x: Scale, logCounts: boolean): void {
  const { min, max: most, counts } = bins;
  const highest = max(counts) ?? 1;
  const y = (logCounts ? scaleSymlog().constant(1) : scaleLinear())
    .domain([0, highest === 0 ? 1 : highest])
    .range([PLOT, 4]);
  const width = (most - min) / counts.length;
  const shape = area<number>()
    .x((_, i) => x(min + (i + 0.5) * width))
    .y0(PLOT)
    .y1((count) => y(count))
    .curve(curveStep);
  const path = shape(counts as number[]) ?? '';
  if (inUse !== null) {
    const [left, right] = [x(inUse.min), x(inUse.max)];
    root.append(svg('rect', { class: 'kept', x: left, y: 0, width: Math.max(1, right - left), height: PLOT }));
  }
  root.append(svg('path', { class: 'bins', d: path }));
  if (inUse !== null) {
    for (const value of [inUse.min, inUse.max]) {
      root.append(svg('line', { class: 'clip', x1: x(value), x2: x(value), y1: 0, y2: PLOT }));
    }
  }
  const label = svg('text', { class: 'muted', x: LEFT - 8, y: 10, 'text-anchor': 'end' });
  label.textContent = logCounts ? 'values (log)' : 'values';
  root.append(label);
}

function drawAxis(root: SVGElement, x: ReturnType<typeof scaleLinear<number, number>>): void {
  const [from = 0, to = 1] = x.range();
  root.append(svg('line', { class: 'axis', x1: from, x2: to, y1: PLOT + 0.5, y2: PLOT + 0.5 }));
  for (const value of ticks(...(x.domain() as [number, number]), Math.max(2, (to - from) / 70))) {
    const text = svg('text', { class: 'muted', x: x(value), y: PLOT + 14, 'text-anchor': 'middle' });
    text.textContent = String(Number(value.toPrecision(6))).replace('-', '−');
    root.append(svg('line', { class: 'axis', x1: x(value), x2: x(value), y1: PLOT, y2: PLOT + 4 }), text);
  }
}

interface Bracket {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly note: string;
  readonly hint: string;
  readonly used: boolean;
}

function bracketRow(root: SVGElement, x: Scale, y: number, { label, min, max: most, note, hint, used }: Bracket): void {
  const [left, right] = [x(min), x(most)];
  const name = svg('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' });
  name.textContent = label;
  const says = svg('text', { class: used ? '' : 'muted', x: right + 6, y: y + 4 });
  says.textContent = note;
  const title = svg('title');
  title.textContent = hint;
  const line = `M${left} ${y - 5}V${y + 5}M${left} ${y}H${right}M${right} ${y - 5}V${y + 5}`;
  const group = svg('g', { class: used ? 'bracket used' : 'bracket' }, title, name, svg('path', { d: line }), says);
  root.append(group);
}

/** Every n-th of the values that the integers can say, n a power of two so that they stay apart. */
function gridRow(root: SVGElement, x: Scale, y: number, grid: NonNullable<ActivationView['grid']>): void {
  const { scale, zeroPoint, lowest, highest, type } = grid;
  const value = (integer: number): number => scale * (integer - zeroPoint);
  const spacing = x(value(lowest + 1)) - x(value(lowest));
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(LEAST_GRID / spacing)));
  let path = '';
  for (let integer = lowest; integer <= highest; integer += every) path += `M${x(value(integer))} ${y - 4}V${y + 4}`;
  const name = svg('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' });
  name.textContent = `${type} grid`;
  const says = svg('text', { class: 'muted', x: x(value(highest)) + 6, y: y + 4 });
  says.textContent = every === 1 ? `${highest - lowest + 1} steps` : `1 of ${every}`;
  const title = svg('title');
  title.textContent = `${highest - lowest + 1} values, ${number3(scale)} apart, zero at ${zeroPoint}; every ${every}. is drawn`;
  root.append(svg('g', { class: 'grid-row' }, title, name, svg('path', { d: path }), says));
}
