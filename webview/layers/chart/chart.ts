/** The chart on the page: a canvas with what is measured, and above it what the pointer and the keys point at. */

import { interpolateNumber, select, timer, zoom, zoomIdentity, type D3ZoomEvent, type Timer } from 'd3';
import type { Layers } from '../layers';
import { passing, type AppState, type AppStore } from '../state';
import { motionReduced, readPalette, type Palette } from '../theme';
import { h, svg } from '../dom';
import { drawChart, footHeight, footTop, markRadius, type Scene } from './draw';
import { layerAt, scopeAt } from './hit';
import { laneHeight } from './lane';
import { legend } from './legend';
import { CanvasPainter, SvgPainter, type Painter } from './painter';
import {
  fitView,
  LEAST_IN_VIEW,
  panView,
  rangeDB,
  scaleDB,
  scaleX,
  wholeView,
  type Frame,
  type RangeDB,
  type View,
} from './scale';
import { scopeLevels, type ScopeRun } from './scopes';
import { Tooltip } from './tooltip';

const LEFT = 44;
const RIGHT = 12;
/** How long marks take to their new places after a run. */
const MOVE_MS = 180;
const HELP =
  'SQNR of each layer in the order of the graph. Left and right arrows go along the graph, up and down arrows through the table, Enter pins a layer, Escape unpins it, plus, minus and zero zoom, slash searches.';

export interface ChartActions {
  readonly preview: (layer: number) => void;
  readonly pin: (layer: number) => void;
}

/** How the picture of a file differs from the one on the screen. */
export interface Picture {
  readonly svg: string;
  readonly canvas: () => HTMLCanvasElement;
}

export class Chart {
  readonly element: HTMLElement;
  /** What takes the keyboard focus. */
  readonly target: SVGSVGElement;
  readonly #store: AppStore;
  readonly #actions: ChartActions;
  readonly #canvas = h('canvas', { 'aria-hidden': true });
  readonly #context: CanvasRenderingContext2D;
  readonly #band = svg('rect', { class: 'band' });
  readonly #cursorLine = svg('line', { class: 'cursor-line' });
  readonly #rings = svg('g', { class: 'rings' });
  readonly #tooltip = new Tooltip();
  readonly #zoom = zoom<SVGSVGElement, unknown>();
  #palette: Palette = readPalette();
  #painter: CanvasPainter;
  #range: RangeDB = { low: 0, high: 40, exact: false };
  #levels: readonly (readonly ScopeRun[])[] = [];
  #shown: { local: Float64Array; accumulated: Float64Array } | undefined;
  #moving: Timer | undefined;
  #size = { width: 0, height: 0 };

  constructor(store: AppStore, actions: ChartActions) {
    this.#store = store;
    this.#actions = actions;
    const context = this.#canvas.getContext('2d');
    if (context === null) throw new Error('This browser has no canvas.');
    this.#context = context;
    this.#painter = new CanvasPainter(context, this.#palette.font);
    this.target = svg('svg', {
      class: 'overlay',
      role: 'application',
      tabindex: 0,
      'aria-roledescription': 'chart',
      'aria-label': HELP,
    });
    this.target.append(this.#band, this.#cursorLine, this.#rings);
    this.element = h('div', { class: 'chart' }, this.#canvas, this.target, this.#tooltip.element);
    this.#listen();
    new ResizeObserver(() => {
      this.#measure();
    }).observe(this.element);
    store.on(['layers'], (state, former) => {
      this.#take(state.layers, former.layers);
    });
    store.on(['layers', 'zoom', 'order', 'host'], () => {
      this.#syncZoom();
      this.#paint();
    });
    store.on(['layers', 'zoom', 'cursor', 'pinned', 'host'], (state) => {
      this.#point(state);
    });
  }

  /** The theme has changed. */
  recolour(): void {
    this.#palette = readPalette();
    this.#painter = new CanvasPainter(this.#context, this.#palette.font);
    this.#paint();
  }

  hideTooltip(): void {
    this.#tooltip.hide();
  }

  // --- What is shown ------------------------------------------------------------------------------------------------

  #take(layers: Layers | null, former: Layers | null): void {
    this.#moving?.stop();
    this.#moving = undefined;
    if (layers === null) {
      this.#shown = undefined;
      return;
    }
    this.#range = rangeDB(layers);
    this.#levels = scopeLevels(layers.scope);
    const start = this.#shown;
    const target = { local: layers.local, accumulated: layers.accumulated };
    this.#shown = target;
    if (start === undefined || former?.count !== layers.count || motionReduced()) return;
    this.#shown = start;
    this.#moving = timer((elapsed) => {
      const part = Math.min(1, elapsed / MOVE_MS);
      this.#shown =
        part === 1
          ? target
          : {
              local: between(start.local, target.local, part),
              accumulated: between(start.accumulated, target.accumulated, part),
            };
      if (part === 1) this.#moving?.stop();
      this.#paint();
    });
  }

  get #view(): View {
    const { zoom: zoomed, layers } = this.#store.state;
    return zoomed ?? wholeView(layers?.count ?? 1);
  }

  get #lane(): number {
    const { layers } = this.#store.state;
    return layers === null ? 0 : laneHeight(layers);
  }

  #frame(painter: Painter, width: number, height: number): Frame {
    const top = legend(painter, this.#legendOptions(), { left: LEFT, right: width - RIGHT, top: 0 }, false) + 12;
    return {
      left: LEFT,
      right: Math.max(LEFT + 10, width - RIGHT),
      top,
      bottom: height - footHeight(this.#levels) - this.#lane - 4,
    };
  }

  #legendOptions(): Parameters<typeof legend>[1] {
    const { host } = this.#store.state;
    const report = host?.content.kind === 'report' ? host.content.report : undefined;
    return {
      palette: this.#palette,
      threshold: host?.threshold ?? 0,
      statuses: report?.run.counts ?? { quantized: 0, float: 0, fallback: 0 },
      verdicts: report?.culprits?.counts ?? null,
      base: report?.base ? (report.base.relation === 'previous' ? 'previous run' : 'compared run') : null,
    };
  }

  #scene(painter: Painter, width: number, height: number): Scene | undefined {
    const { layers, host, order } = this.#store.state;
    if (layers === null || host === null || this.#shown === undefined) return undefined;
    return {
      layers,
      ...this.#shown,
      passing: passing({ order, layers }),
      view: this.#view,
      range: this.#range,
      threshold: host.threshold,
      levels: this.#levels,
      frame: this.#frame(painter, width, height),
      lane: this.#lane,
      palette: this.#palette,
    };
  }

  #draw(painter: Painter, width: number, height: number): void {
    const scene = this.#scene(painter, width, height);
    if (scene === undefined) return;
    painter.text(8, 9, 'dB', { fill: this.#palette.muted, size: 11 });
    legend(painter, this.#legendOptions(), { left: LEFT, right: width - RIGHT, top: 0 });
    drawChart(painter, scene);
  }

  #paint(): void {
    const { width, height } = this.#size;
    if (width === 0 || height === 0) return;
    this.#prepare(this.#canvas, this.#context, window.devicePixelRatio);
    this.#draw(this.#painter, width, height);
  }

  #prepare(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, density: number): void {
    const { width, height } = this.#size;
    const [columns, rows] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
    }
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
  }

  /** What is on the screen, for a file. */
  picture(title: string): Picture {
    const { width, height } = this.#size;
    const painter = new SvgPainter((text, size) => this.#painter.measure(text, size));
    this.#draw(painter, width, height);
    return {
      svg: painter.document(width, height, title, this.#palette.background, this.#palette.font),
      canvas: () => {
        const canvas = document.createElement('canvas');
        const context = canvas.getContext('2d')!;
        this.#prepare(canvas, context, 2);
        const target = new CanvasPainter(context, this.#palette.font);
        target.rect(0, 0, width, height, { fill: this.#palette.background });
        this.#draw(target, width, height);
        return canvas;
      },
    };
  }

  #measure(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.#size = { width, height };
    this.target.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#syncZoom();
    this.#paint();
    this.#point(this.#store.state);
  }

  // --- Pointing -----------------------------------------------------------------------------------------------------

  #point({ layers, cursor, pinned, host }: AppState): void {
    const scene = this.#screen;
    const marked = cursor ?? pinned;
    for (const part of [this.#band, this.#cursorLine, this.#rings]) {
      part.setAttribute('visibility', scene === undefined || marked === null ? 'hidden' : 'visible');
    }
    if (scene === undefined || layers === null || host === null) return;
    const x = scaleX(scene.view, scene.frame);
    const { top, left, right } = scene.frame;
    const foot = footTop(scene);
    const inside = (layer: number | null): layer is number =>
      layer !== null && x(layer) >= left - 1 && x(layer) <= right + 1;
    const half = Math.max(4, (x(1) - x(0)) / 2);
    this.#band.setAttribute('visibility', inside(pinned) ? 'visible' : 'hidden');
    if (inside(pinned)) {
      place(this.#band, { x: x(pinned) - half, y: top - 4, width: 2 * half, height: foot - top + 8, rx: 2 });
    }
    this.#cursorLine.setAttribute('visibility', inside(cursor) ? 'visible' : 'hidden');
    if (inside(cursor)) place(this.#cursorLine, { x1: x(cursor), x2: x(cursor), y1: top, y2: foot });
    this.#ring(scene, inside(marked) ? marked : null);
  }

  #ring({ layers, view, range, frame }: Scene, layer: number | null): void {
    this.#rings.replaceChildren();
    if (layer === null) return;
    const x = scaleX(view, frame);
    const y = scaleDB(range, frame);
    for (const values of [layers.local, layers.accumulated]) {
      const value = values[layer]!;
      if (Number.isNaN(value)) continue;
      this.#rings.append(svg('circle', { cx: x(layer), cy: y(value), r: markRadius(x) + 3 }));
    }
  }

  get #screen(): Scene | undefined {
    return this.#scene(this.#painter, this.#size.width, this.#size.height);
  }

  // --- Zooming ------------------------------------------------------------------------------------------------------

  #listen(): void {
    const { target } = this;
    this.#zoom
      .filter((event: MouseEvent | WheelEvent) => event.button === 0 && !isSideways(event))
      .on('zoom', (event: D3ZoomEvent<SVGSVGElement, unknown>) => {
        const { layers } = this.#store.state;
        // Without a source it is our own change coming back.
        if (layers === null || !event.sourceEvent) return;
        const [from, to] = event.transform.rescaleX(scaleX(wholeView(layers.count), this.#edges())).domain();
        this.#store.update({ zoom: fitView([from!, to!], layers.count) });
      });
    select(target).call(this.#zoom).on('dblclick.zoom', null);
    target.addEventListener(
      'wheel',
      (event) => {
        const { layers } = this.#store.state;
        if (layers === null || !isSideways(event)) return;
        event.preventDefault();
        const { left, right } = this.#edges();
        const by = (event.deltaX === 0 ? event.deltaY : event.deltaX) / (right - left);
        this.#store.update({ zoom: panView(this.#view, by, layers.count) });
      },
      { passive: false },
    );
    target.addEventListener('pointermove', (event) => {
      const scene = this.#screen;
      if (event.buttons !== 0 || scene === undefined) return;
      const { offsetX: x, offsetY: y } = event;
      const layer = layerAt(scene, x, y);
      target.classList.toggle('on-scope', layer === undefined && scopeAt(scene, x, y) !== undefined);
      if (layer === undefined) {
        this.#tooltip.hide();
        return;
      }
      this.#actions.preview(layer);
      this.#tooltip.show(this.#store.state, layer, x, y, this.#size);
    });
    target.addEventListener('pointerleave', () => {
      this.#tooltip.hide();
    });
    target.addEventListener('click', ({ offsetX, offsetY }) => {
      const scene = this.#screen;
      if (scene === undefined) return;
      const layer = layerAt(scene, offsetX, offsetY);
      if (layer !== undefined) this.#actions.pin(layer);
      else this.#zoomTo(scopeAt(scene, offsetX, offsetY));
    });
  }

  /** A second time shows the whole again. */
  #zoomTo(scope: ScopeRun | undefined): void {
    const { layers } = this.#store.state;
    if (scope === undefined || layers === null) return;
    const around = fitView([scope.first - 0.5, scope.last + 0.5], layers.count);
    const [from, to] = this.#view;
    const there = around !== null && Math.abs(around[0] - from) + Math.abs(around[1] - to) < 0.01;
    this.#store.update({ zoom: there ? null : around });
  }

  #edges(): Pick<Frame, 'left' | 'right'> {
    return { left: LEFT, right: Math.max(LEFT + 10, this.#size.width - RIGHT) };
  }

  /** Tells d3-zoom what the brush, the keys or a resize have made of the view. */
  #syncZoom(): void {
    const { layers } = this.#store.state;
    if (layers === null) return;
    const edges = this.#edges();
    const { height } = this.#size;
    const [from, to] = this.#view;
    const extent: [[number, number], [number, number]] = [
      [edges.left, 0],
      [edges.right, height],
    ];
    this.#zoom
      .extent(extent)
      .translateExtent(extent)
      .scaleExtent([1, Math.max(1, layers.count / LEAST_IN_VIEW)]);
    const scale = layers.count / (to - from);
    const start = scaleX(wholeView(layers.count), edges)(from);
    select(this.target).property('__zoom', zoomIdentity.translate(edges.left - scale * start, 0).scale(scale));
  }
}

/** Two fingers to the side, or the wheel with Shift. */
function isSideways(event: MouseEvent): boolean {
  if (!(event instanceof WheelEvent) || event.ctrlKey) return false;
  return event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
}

function between(start: Float64Array, target: Float64Array, part: number): Float64Array {
  return target.map((value, i) => {
    const from = start[i]!;
    return Number.isFinite(from) && Number.isFinite(value) ? interpolateNumber(from, value)(part) : value;
  });
}

function place(element: SVGElement, attributes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
