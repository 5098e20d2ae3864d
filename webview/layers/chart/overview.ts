/** The whole network in a strip: how deep the SQNR falls, and which part of it the chart shows. */

import { brushX, select, type D3BrushEvent } from 'd3';
import { h, svg } from '../dom';
import type { AppStore } from '../state';
import { readPalette, type Palette } from '../theme';
import { linePoints, lowestPerColumn } from './downsample';
import { CanvasPainter } from './painter';
import { fitView, rangeDB, scaleDB, scaleX, wholeView } from './scale';

const LEFT = 44;
const RIGHT = 12;
const MARGIN = 3;
const WIDEST_BAR = 10;

export class Overview {
  readonly element: HTMLElement;
  readonly #store: AppStore;
  readonly #canvas = h('canvas', { 'aria-hidden': true });
  readonly #overlay = svg('svg', { 'aria-hidden': 'true' });
  readonly #brushed = svg('g', { class: 'brush' });
  readonly #brush = brushX();
  #palette: Palette = readPalette();
  #size = { width: 0, height: 0 };

  constructor(store: AppStore) {
    this.#store = store;
    this.#overlay.append(this.#brushed);
    // The keys zoom and pan the chart, so that the strip needs no focus of its own.
    this.element = h(
      'div',
      { class: 'overview', title: 'Drag to zoom; click to see everything' },
      this.#canvas,
      this.#overlay,
    );
    this.#brush.on('brush end', (event: D3BrushEvent<unknown>) => {
      const { layers } = this.#store.state;
      // Without a source it is our own change coming back.
      if (layers === null || !event.sourceEvent) return;
      const selection = event.selection as [number, number] | null;
      if (selection === null) {
        this.#store.update({ zoom: null });
        return;
      }
      const x = scaleX(wholeView(layers.count), this.#edges());
      if (selection[1] - selection[0] < 1) return;
      this.#store.update({ zoom: fitView([x.invert(selection[0]), x.invert(selection[1])], layers.count) });
    });
    new ResizeObserver(() => {
      this.#measure();
    }).observe(this.element);
    store.on(['layers', 'host'], () => {
      this.#paint();
      this.#sync();
    });
    store.on(['zoom'], () => {
      this.#sync();
    });
  }

  recolour(): void {
    this.#palette = readPalette();
    this.#paint();
  }

  #edges(): { readonly left: number; readonly right: number } {
    return { left: LEFT, right: Math.max(LEFT + 10, this.#size.width - RIGHT) };
  }

  #measure(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    // Not laid out yet.
    if (width === 0 || height === 0) return;
    this.#size = { width, height };
    this.#overlay.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const { left, right } = this.#edges();
    this.#brush.extent([
      [left, 1],
      [right, height - 1],
    ]);
    select(this.#brushed).call(this.#brush);
    this.#paint();
    this.#sync();
  }

  #sync(): void {
    const { layers, zoom } = this.#store.state;
    if (layers === null || this.#size.width === 0) return;
    const x = scaleX(wholeView(layers.count), this.#edges());
    const selection = zoom === null ? null : ([x(zoom[0]), x(zoom[1])] as [number, number]);
    select(this.#brushed).call((group) => this.#brush.move(group, selection));
  }

  #paint(): void {
    const { layers, host } = this.#store.state;
    const { width, height } = this.#size;
    const context = this.#canvas.getContext('2d');
    if (context === null || width === 0) return;
    const density = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * density);
    this.#canvas.height = Math.round(height * density);
    context.scale(density, density);
    if (layers === null || host === null) return;
    const painter = new CanvasPainter(context, this.#palette.font);
    const { left, right } = this.#edges();
    const y = scaleDB(rangeDB(layers), { top: MARGIN, bottom: height - MARGIN });
    const columns = Math.min(layers.count, Math.floor((right - left) / 2));
    const lowest = lowestPerColumn(layers.local, columns);
    const step = (right - left) / columns;
    const bar = Math.max(1, Math.min(WIDEST_BAR, step * 0.7));
    painter.rect(left, 0.5, right - left, height - 1, { stroke: this.#palette.grid });
    lowest.forEach((value, column) => {
      if (Number.isNaN(value)) return;
      const fill = value < host.threshold ? this.#palette.problem : this.#palette.quantized;
      // Hanging from the top: the deeper, the worse.
      painter.rect(left + step * (column + 0.5) - bar / 2, MARGIN, bar, Math.max(1, y(value) - MARGIN), {
        fill,
        opacity: 0.8,
      });
    });
    const x = scaleX(wholeView(layers.count), { left, right });
    painter.line(linePoints(layers.accumulated, 0, layers.count - 1, x, y), { stroke: this.#palette.line, width: 1 });
  }
}
