/** The recipes that were tried, quality against cost: the front, the goal, and which one is taken. */

import { axisBottom, axisLeft, extent, line, curveStepAfter, scaleLinear, select, symbol } from 'd3';
import { symbolCircle, symbolSquare, symbolStar, type ScaleLinear, type Selection, type SymbolType } from 'd3';
import { figuresText, changesText } from '../../src/shared/tuningText';
import { printable } from '../../src/shared/format';
import { h, svg } from '../layers/dom';
import { front, placed, type Measure, type Placed } from './points';
import type { Scene } from './state';
import { Tooltip } from './tooltip';

export interface ChartActions {
  /** `null` follows the best again. */
  readonly pick: (index: number | null) => void;
  readonly say: (text: string) => void;
}

const MARGIN = { top: 18, right: 24, bottom: 46, left: 84 } as const;
const HEIGHT = 320;
const LEAST_WIDTH = 320;
/** Of the span of the values, so that no point lies on an axis. */
const PADDING = 0.12;
/** Pixels from a point in which the pointer means it. */
const NEAR = 24;
const AREA = { plain: 70, special: 150 } as const;

type Scale = ScaleLinear<number, number>;

interface Drawn {
  readonly points: readonly Placed[];
  readonly x: Scale;
  readonly y: Scale;
}

export class Chart {
  readonly element: HTMLElement;
  readonly #actions: ChartActions;
  readonly #svg = svg('svg', { class: 'chart', height: HEIGHT });
  readonly #list = svg('g', { class: 'points', role: 'listbox', tabindex: 0, 'aria-label': 'Recipes that were tried' });
  readonly #tooltip = new Tooltip();
  readonly #ground = svg('g', { 'aria-hidden': 'true' });
  #scene: Scene | undefined;
  #drawn: Drawn | undefined;
  #cursor: number | null = null;

  constructor(actions: ChartActions) {
    this.#actions = actions;
    this.#svg.append(this.#ground, this.#list);
    this.element = h('div', { class: 'plot' }, this.#svg, this.#tooltip.element);
    new ResizeObserver(() => {
      this.#draw();
    }).observe(this.element);
    this.#listen();
  }

  update(scene: Scene | undefined): void {
    this.#scene = scene;
    this.#draw();
  }

  #draw(): void {
    const scene = this.#scene;
    const width = Math.max(LEAST_WIDTH, this.element.clientWidth);
    this.#svg.setAttribute('width', String(width));
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    if (scene === undefined) {
      this.#ground.replaceChildren();
      this.#list.replaceChildren();
      this.#drawn = undefined;
      return;
    }
    const points = placed(scene.tuning.points, scene.x, scene.y);
    const limits = { x: limitOf(scene, scene.x), y: limitOf(scene, scene.y) };
    const x = scaleLinear(
      domain(
        points.map((p) => p.x),
        limits.x,
      ),
      [MARGIN.left, width - MARGIN.right],
    ).nice();
    const y = scaleLinear(
      domain(
        points.map((p) => p.y),
        limits.y,
      ),
      [HEIGHT - MARGIN.bottom, MARGIN.top],
    ).nice();
    this.#drawn = { points, x, y };
    this.#ground.replaceChildren();
    const ground = select(this.#ground);
    drawGoal(ground, scene, limits, { x, y, width });
    drawAxes(ground, scene, { x, y, width });
    drawFront(ground, front(points, scene.x, scene.y), { x, y, width });
    drawLabels(ground, scene, points, { x, y, width });
    this.#drawPoints(scene, points, x, y);
  }

  #drawPoints(scene: Scene, points: readonly Placed[], x: Scale, y: Scale): void {
    const { tuning, chosen, shown, host } = scene;
    select(this.#list)
      .selectAll<SVGGElement, Placed>('g.point')
      .data(points, ({ index }) => index)
      .join((enter) => {
        const added = enter.append('g').attr('role', 'option');
        added.append('circle').attr('class', 'halo').attr('r', 13);
        added.append('path').attr('class', 'mark');
        return added;
      })
      .attr('id', ({ index }) => `point-${index}`)
      .attr('class', ({ index }) =>
        [
          'point',
          tuning.points[index]!.reached ? 'reached' : 'missed',
          ...(index === chosen ? ['chosen'] : []),
          ...(index === shown ? ['shown'] : []),
          ...(index === this.#cursor ? ['cursor'] : []),
          ...(index === host.written ? ['written'] : []),
        ].join(' '),
      )
      .attr('transform', (point) => `translate(${x(point.x)},${y(point.y)})`)
      .attr('aria-selected', ({ index }) => String(index === shown))
      .attr('aria-label', ({ index }) => describe(scene, index))
      .select('path')
      .attr('d', ({ index }) => symbol(shapeOf(index, chosen), areaOf(index, chosen))());
    const active = this.#cursor ?? shown;
    if (points.some(({ index }) => index === active)) {
      this.#list.setAttribute('aria-activedescendant', `point-${active}`);
    } else this.#list.removeAttribute('aria-activedescendant');
  }

  #listen(): void {
    const list = this.#list;
    this.#svg.addEventListener('pointermove', (event) => {
      this.#point(this.#nearest(event));
    });
    this.#svg.addEventListener('pointerleave', () => {
      this.#point(null);
    });
    this.#svg.addEventListener('click', (event) => {
      this.#actions.pick(this.#nearest(event));
      list.focus({ preventScroll: true });
    });
    list.addEventListener('keydown', (event) => {
      const next = this.#key(event.key);
      if (next === undefined) return;
      event.preventDefault();
      this.#point(next);
      if (next !== null && this.#scene !== undefined) this.#actions.say(describe(this.#scene, next));
    });
    list.addEventListener('blur', () => {
      this.#point(null);
    });
  }

  /** Where a key leads: a point, away from all, or nowhere. */
  #key(key: string): number | null | undefined {
    const { points = [] } = this.#drawn ?? {};
    const order = points.toSorted((a, b) => a.x - b.x || a.y - b.y).map(({ index }) => index);
    const at = order.indexOf(this.#cursor ?? this.#scene?.shown ?? -1);
    switch (key) {
      case 'ArrowRight':
      case 'ArrowDown':
        return order[Math.min(order.length - 1, at + 1)];
      case 'ArrowLeft':
      case 'ArrowUp':
        return order[Math.max(0, at - 1)];
      case 'Home':
        return order[0];
      case 'End':
        return order.at(-1);
      case 'Enter':
      case ' ':
        this.#actions.pick(this.#cursor);
        return this.#cursor;
      case 'Escape':
        this.#actions.pick(null);
        return null;
      default:
        return undefined;
    }
  }

  #nearest(event: MouseEvent): number | null {
    const drawn = this.#drawn;
    if (drawn === undefined) return null;
    const box = this.#svg.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const distances = drawn.points.map((p) => Math.hypot(drawn.x(p.x) - left, drawn.y(p.y) - top));
    const least = Math.min(...distances);
    // Of points that lie on each other the best is meant, then the one on top.
    const near = drawn.points.filter((_, i) => distances[i] === least).map(({ index }) => index);
    const chosen = near.find((index) => index === this.#scene?.chosen);
    return least <= NEAR ? (chosen ?? near.at(-1) ?? null) : null;
  }

  #point(index: number | null): void {
    if (index === this.#cursor) return;
    this.#cursor = index;
    const { points = [], x, y } = this.#drawn ?? {};
    const at = points.find((point) => point.index === index);
    if (this.#scene !== undefined && at !== undefined && x !== undefined && y !== undefined) {
      this.#tooltip.show(this.#scene, at.index, { left: x(at.x), top: y(at.y), width: this.element.clientWidth });
    } else this.#tooltip.hide();
    this.#draw();
  }
}

/** What a screen reader says of a point. */
function describe({ tuning, chosen, host }: Scene, index: number): string {
  const point = tuning.points[index]!;
  return [
    `Recipe ${index + 1}${index === 0 ? ', as it was' : ''}${index === chosen ? ', the best' : ''}`,
    printable(changesText(point)),
    figuresText(point),
    point.reached ? 'holds the goal' : 'misses the goal',
    ...(index === host.written ? ['in the recipe'] : []),
  ].join('; ');
}

function shapeOf(index: number, chosen: number): SymbolType {
  if (index === chosen) return symbolStar;
  return index === 0 ? symbolSquare : symbolCircle;
}

function areaOf(index: number, chosen: number): number {
  return index === chosen || index === 0 ? AREA.special : AREA.plain;
}

function limitOf({ host, tuning }: Scene, measure: Measure): number | undefined {
  return measure.limit(host.goal, tuning);
}

function domain(values: readonly number[], limit: number | undefined): [number, number] {
  const [low = 0, high = 1] = extent([...values, ...(limit === undefined ? [] : [limit])]) as [number?, number?];
  const room = high === low ? Math.abs(high) * PADDING || 1 : (high - low) * PADDING;
  return [low - room, high + room];
}

interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly width: number;
}

type Group = Selection<SVGGElement, unknown, null, undefined>;

function drawAxes(group: Group, { x: across, y: up }: Scene, { x, y, width }: Frame): void {
  const bottom = HEIGHT - MARGIN.bottom;
  const ticksX = Math.max(3, Math.floor(width / 110));
  group
    .append('g')
    .attr('class', 'axis')
    .attr('transform', `translate(0,${bottom})`)
    .call(axisBottom<number>(x).ticks(ticksX).tickSizeOuter(0).tickFormat(across.text));
  group
    .append('g')
    .attr('class', 'axis')
    .attr('transform', `translate(${MARGIN.left},0)`)
    .call(axisLeft<number>(y).ticks(6).tickSizeOuter(0).tickFormat(up.text));
  const arrow = across.better === 'less' ? '← ' : '';
  const behind = across.better === 'more' ? ' →' : '';
  group
    .append('text')
    .attr('class', 'title')
    .attr('x', (MARGIN.left + width - MARGIN.right) / 2)
    .attr('y', HEIGHT - 8)
    .attr('text-anchor', 'middle')
    .text(`${arrow}${across.label}${behind}`);
  group
    .append('text')
    .attr('class', 'title')
    .attr('transform', `translate(12,${(MARGIN.top + bottom) / 2}) rotate(-90)`)
    .attr('text-anchor', 'middle')
    .text(`${up.label} →`);
}

/** What holds the goal is shaded, and its edges are named. */
function drawGoal(
  group: Group,
  { x: across, y: up }: Scene,
  limits: { readonly x: number | undefined; readonly y: number | undefined },
  { x, y, width }: Frame,
): void {
  if (limits.x === undefined && limits.y === undefined) return;
  const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
  const edgeX = limits.x === undefined ? (across.better === 'less' ? right : MARGIN.left) : x(limits.x);
  const edgeY = limits.y === undefined ? bottom : y(limits.y);
  const left = across.better === 'less' ? MARGIN.left : edgeX;
  const wide = across.better === 'less' ? edgeX - MARGIN.left : right - edgeX;
  group
    .append('rect')
    .attr('class', 'goal-area')
    .attr('x', left)
    .attr('y', MARGIN.top)
    .attr('width', Math.max(0, wide))
    .attr('height', Math.max(0, edgeY - MARGIN.top));
  const edge = (x1: number, y1: number, x2: number, y2: number): void => {
    group.append('line').attr('class', 'goal').attr('x1', x1).attr('y1', y1).attr('x2', x2).attr('y2', y2);
  };
  const name = (at: number, top: number, anchor: string, text: string): void => {
    group.append('text').attr('class', 'goal').attr('x', at).attr('y', top).attr('text-anchor', anchor).text(text);
  };
  if (limits.y !== undefined) {
    edge(MARGIN.left, edgeY, right, edgeY);
    name(right - 4, edgeY - 5, 'end', `goal ${up.text(limits.y)}`);
  }
  if (limits.x !== undefined) {
    edge(edgeX, MARGIN.top, edgeX, bottom);
    const room = edgeX > (MARGIN.left + right) / 2;
    name(edgeX + (room ? -5 : 5), bottom - 6, room ? 'end' : 'start', `goal ${across.text(limits.x)}`);
  }
}

function drawFront(group: Group, points: readonly Placed[], { x, y }: Frame): void {
  const path = line<Placed>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).curve(curveStepAfter);
  group.append('path').attr('class', 'front').attr('d', path(points));
}

/** The two points that everybody looks for, by name, where no other point lies. */
function drawLabels(group: Group, { chosen }: Scene, points: readonly Placed[], { x, y, width }: Frame): void {
  const names: (readonly [index: number, name: string])[] =
    chosen === 0
      ? [[0, 'as it was, the best']]
      : [
          [0, 'as it was'],
          [chosen, 'best'],
        ];
  for (const [index, text] of names) {
    const at = points.find((point) => point.index === index);
    if (at === undefined) continue;
    const others = points.filter((point) => point !== at).map((point) => [x(point.x), y(point.y)] as const);
    const { side, up } = labelPlace([x(at.x), y(at.y)], others, text.length * LETTER, width);
    group
      .append('text')
      .attr('class', 'name')
      .attr('x', x(at.x) + side * LABEL.across)
      .attr('y', y(at.y) + (up ? LABEL.above : LABEL.below))
      .attr('text-anchor', side < 0 ? 'end' : 'start')
      .text(text);
  }
}

/** Pixels from the middle of a point to its name. */
const LABEL = { across: 14, above: -8, below: 16 } as const;
const LETTER = 7;
const PLACES = [
  { side: 1, up: true },
  { side: -1, up: true },
  { side: 1, up: false },
  { side: -1, up: false },
] as const;

/** The first of the four corners where the name fits, and where the fewest points lie. */
function labelPlace(
  [left, top]: readonly [number, number],
  others: readonly (readonly [number, number])[],
  long: number,
  width: number,
): (typeof PLACES)[number] {
  const hidden = ({ side, up }: (typeof PLACES)[number]): number => {
    const [from, to] = [left, left + side * (LABEL.across + long)].toSorted((a, b) => a - b) as [number, number];
    if (from < MARGIN.left || to > width) return Infinity;
    const middle = top + (up ? LABEL.above : LABEL.below) - 4;
    return others.filter(([x, y]) => x > from - 6 && x < to + 6 && Math.abs(y - middle) < 14).length;
  };
  return PLACES.toSorted((a, b) => hidden(a) - hidden(b))[0] ?? PLACES[0];
}
