/** The range of every channel of a weight. */

import { extent, scaleLinear, ticks } from 'd3';
import { number3, plural } from '../../../src/shared/format';
import type { WeightView } from '../../../src/shared/viewFacts';
import { svg } from '../dom';

const LEFT = 104;
const RIGHT = 16;
const HEIGHT = 96;
const FOOT = 18;
/** More channel numbers than this would run into one another. */
const MOST_NAMED = 6;

export function weightRanges(view: WeightView, width: number): SVGSVGElement {
  const channels = view.min.length;
  const reach = view.reach ?? [];
  const [low = -1, high = 1] = extent([...view.min, ...view.max, 0]);
  const x = scaleLinear([-0.5, channels - 0.5], [LEFT, Math.max(LEFT + 40, width - RIGHT)]);
  const y = scaleLinear([low, high === low ? low + 1 : high], [HEIGHT, 6]);
  const bar = Math.max(1, Math.min(12, (x(1) - x(0)) * 0.7));
  const outliers = new Set(view.outliers);
  const bars = { normal: '', outlier: '' };
  view.min.forEach((min, channel) => {
    const kind = outliers.has(channel) ? 'outlier' : 'normal';
    // A channel of zeros is a bar without height, which would not be seen.
    const [top, bottom] = [y(view.max[channel]!), y(min)];
    bars[kind] += `M${x(channel)} ${Math.min(top, bottom - 1)}V${bottom}`;
  });
  const root = svg('svg', {
    class: 'weights',
    width,
    height: HEIGHT + FOOT,
    viewBox: `0 0 ${width} ${HEIGHT + FOOT}`,
    role: 'img',
    'aria-label': describe(view),
  });
  for (const value of ticks(low, high, 3)) {
    const text = svg('text', { class: 'muted', x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' });
    text.textContent = String(Number(value.toPrecision(6))).replace('-', '−');
    root.append(svg('line', { class: 'grid-line', x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }), text);
  }
  root.append(
    svg('path', { class: 'channels', d: bars.normal, 'stroke-width': bar }),
    svg('path', { class: 'channels outlier', d: bars.outlier, 'stroke-width': Math.max(2, bar) }),
  );
  if (reach.length === 1) {
    for (const value of [reach[0]!, -reach[0]!]) {
      if (value > high || value < low) continue;
      root.append(svg('line', { class: 'clip', x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    }
  }
  drawNames(root, view, x);
  return root;
}

function drawNames(root: SVGElement, { min, outliers }: WeightView, x: (channel: number) => number): void {
  const name = (channel: number, className: string): void => {
    const text = svg('text', { class: className, x: x(channel), y: HEIGHT + 13, 'text-anchor': 'middle' });
    text.textContent = String(channel);
    root.append(text);
  };
  const named = outliers.slice(0, MOST_NAMED);
  for (const channel of named) name(channel, 'outlier');
  for (const channel of [0, min.length - 1]) {
    if (!named.some((other) => Math.abs(x(other) - x(channel)) < 24)) name(channel, 'muted');
  }
}

/** `64 channels, 2 outliers: 41, 7; 1 all zero`. */
export function channelText({ min, outliers, dead }: WeightView): string {
  const named = outliers.slice(0, MOST_NAMED).join(', ');
  const more = outliers.length - MOST_NAMED;
  return [
    plural(min.length, 'channel'),
    ...(outliers.length === 0
      ? []
      : [`${plural(outliers.length, 'outlier')} (${named}${more > 0 ? `, +${more}` : ''})`]),
    ...(dead.length === 0 ? [] : [`${dead.length} all zero`]),
  ].join(' · ');
}

function describe(view: WeightView): string {
  const [low = 0] = extent(view.min);
  const [, high = 0] = extent(view.max);
  return `Range of each channel: ${channelText(view)}; values from ${number3(low)} to ${number3(high)}.`;
}
