/** The layers as a table of which only the rows in view exist. */

import { fill, h, type Child } from './dom';
import { sortedBy, type AppState, type AppStore } from './state';
import { columnsFor, templateOf, type Cell, type Column } from './tableColumns';

export interface TableActions {
  readonly preview: (layer: number) => void;
  readonly pin: (layer: number) => void;
}

function cellElement({ className }: Column, { text, tone: kind, title, sign, bar }: Cell): HTMLElement {
  const element = h('div', {
    class: ['cell', className, kind ?? ''].join(' ').trim(),
    role: 'gridcell',
    title,
    // A sign alone is no name.
    'aria-label': text === '' ? title : undefined,
  });
  if (sign !== undefined) {
    element.append(h('span', { class: `sign ${sign.className}`, 'aria-hidden': true, text: sign.symbol }), ' ');
  }
  // The end of a path tells layers apart, so that is what has to stay visible.
  element.append(className === 'name' ? h('bdi', { text }) : text);
  if (bar !== undefined) element.style.setProperty('--bar', `${(100 * Math.min(1, bar)).toFixed(1)}%`);
  return element;
}

/** Height of a row in pixels: that of the editor's own lists. */
export const ROW = 22;
/** Rows beyond those in view, so that a quick scroll shows no gap. */
const SPARE = 6;

export class Table {
  readonly element: HTMLElement;
  /** What takes the keyboard focus and scrolls. */
  readonly target: HTMLElement;
  readonly #store: AppStore;
  readonly #actions: TableActions;
  readonly #head = h('div', { class: 'row head', role: 'row', 'aria-rowindex': 1 });
  readonly #space = h('div', { class: 'space', role: 'presentation' });
  readonly #rows = h('div', { class: 'rows', role: 'rowgroup' });
  readonly #nothing = h('p', { class: 'nothing', hidden: true, text: 'No layer passes the filter. Esc clears it.' });
  #columns: readonly Column[] = [];
  #drawn = '';

  constructor(store: AppStore, actions: TableActions) {
    this.#store = store;
    this.#actions = actions;
    this.#space.append(this.#rows);
    this.target = h(
      'div',
      { class: 'grid', role: 'grid', tabindex: 0, 'aria-label': 'Layers', 'aria-multiselectable': false },
      h('div', { role: 'rowgroup', class: 'head-group' }, this.#head),
      this.#space,
    );
    this.element = h('div', { class: 'table' }, this.target, this.#nothing);
    this.#listen();
    store.on(['layers', 'sort'], (state) => {
      this.#fit();
      this.#drawHead(state);
    });
    store.on(['layers', 'order', 'host'], () => {
      this.#drawRows(true);
    });
    store.on(['cursor', 'pinned'], (state) => {
      this.#mark(state);
    });
  }

  get scroll(): number {
    return this.target.scrollTop;
  }

  set scroll(top: number) {
    this.target.scrollTop = top;
  }

  /** Scrolls just far enough that a layer can be seen. */
  reveal(layer: number): void {
    const at = this.#store.state.order.indexOf(layer);
    if (at === -1) return;
    const { scrollTop, clientHeight } = this.target;
    const room = clientHeight - ROW;
    if (at * ROW < scrollTop) this.target.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + room) this.target.scrollTop = (at + 1) * ROW - room;
    this.#drawRows(false);
    this.#mark(this.#store.state);
  }

  #listen(): void {
    const layerOf = ({ target }: Event): number | undefined => {
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-layer]') : null;
      return row === null ? undefined : Number(row.dataset['layer']);
    };
    this.target.addEventListener('scroll', () => {
      this.#drawRows(false);
    });
    // Not `pointerover`, which rows that are drawn anew, or scrolled, under a pointer at rest cause as well.
    this.#rows.addEventListener('pointermove', (event) => {
      const layer = layerOf(event);
      if (layer !== undefined && event.buttons === 0) this.#actions.preview(layer);
    });
    this.#rows.addEventListener('click', (event) => {
      const layer = layerOf(event);
      if (layer !== undefined) this.#actions.pin(layer);
    });
    new ResizeObserver(() => {
      this.#fit();
      this.#drawRows(false);
    }).observe(this.target);
  }

  /** Other columns where the width or what is known has changed. */
  #fit(): void {
    const { layers } = this.#store.state;
    if (layers === null) return;
    const columns = columnsFor(layers, this.target.clientWidth);
    const same = columns.length === this.#columns.length && columns.every((column, i) => column === this.#columns[i]);
    if (same) return;
    this.#columns = columns;
    this.target.style.setProperty('--columns', templateOf(columns));
    this.target.setAttribute('aria-colcount', String(columns.length));
    this.#drawHead(this.#store.state);
    this.#drawRows(true);
  }

  #drawHead({ layers, sort }: AppState): void {
    if (layers === null) return;
    const heads = this.#columns.map(({ key, title, label, unit, className }): Child => {
      const sorted = sort.key === key;
      const direction = sort.descending ? 'descending' : 'ascending';
      const button = h(
        'button',
        {
          type: 'button',
          title: `${label}; click to sort`,
          // A word is its own name; a sign is not.
          'aria-label': title.length > 1 ? undefined : `${title} ${label}`.trim(),
          'data-key': `sort-${key}`,
          onclick: () => {
            this.#store.update({ sort: sortedBy(this.#store.state.sort, key) });
          },
        },
        title,
        unit === undefined ? null : h('span', { class: 'unit', text: ` ${unit}` }),
        sorted ? h('span', { class: 'arrow', text: sort.descending ? '▾' : '▴' }) : null,
      );
      return h(
        'div',
        { class: `cell ${className}`, role: 'columnheader', 'aria-sort': sorted ? direction : 'none' },
        button,
      );
    });
    fill(this.#head, ...heads);
  }

  #drawRows(anew: boolean): void {
    const { layers, order, host } = this.#store.state;
    if (layers === null || host === null) return;
    const { scrollTop, clientHeight } = this.target;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const last = Math.min(order.length, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    const drawn = `${first} ${last}`;
    if (!anew && drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.target.setAttribute('aria-rowcount', String(order.length + 1));
    this.#space.style.height = `${order.length * ROW}px`;
    this.#rows.style.transform = `translateY(${first * ROW}px)`;
    this.#nothing.hidden = order.length > 0;
    const columns = this.#columns;
    const rows = order
      .slice(first, last)
      .map((layer, i) =>
        h(
          'div',
          { class: 'row', role: 'row', id: rowId(layer), 'aria-rowindex': first + i + 2, 'data-layer': layer },
          ...columns.map((column) => cellElement(column, column.cell(layers, layer, host.threshold))),
        ),
      );
    this.#rows.replaceChildren(...rows);
    this.#mark(this.#store.state);
  }

  #mark({ cursor, pinned }: AppState): void {
    for (const row of this.#rows.children) {
      if (!(row instanceof HTMLElement)) continue;
      const layer = Number(row.dataset['layer']);
      row.classList.toggle('cursor', layer === cursor);
      row.classList.toggle('pinned', layer === pinned);
      row.setAttribute('aria-selected', String(layer === pinned));
    }
    const active = cursor ?? pinned;
    const exists = active !== null && document.getElementById(rowId(active)) !== null;
    if (exists) this.target.setAttribute('aria-activedescendant', rowId(active));
    else this.target.removeAttribute('aria-activedescendant');
  }
}

function rowId(layer: number): string {
  return `layer-${layer}`;
}
