/** The layers as a table of which only the rows in view exist. */

import { count, NOTHING, printable } from '../../src/shared/format';
import { fill, h, type Child } from './dom';
import { isProblem, type Layers, type MeasureName } from './layers';
import { changeOf, type SortKey } from './order';
import { sortedBy, type AppState, type AppStore } from './state';
import { bareDB, changeDB, STATUS_SIGNS, time } from './text';

export interface TableActions {
  readonly preview: (layer: number) => void;
  readonly pin: (layer: number) => void;
}

interface Column {
  readonly key: SortKey;
  readonly title: string;
  /** For people who do not see the symbol or the short form. */
  readonly label: string;
  readonly unit?: string;
  readonly className: string;
  /** Only where there is a run to compare with. */
  readonly compared?: boolean;
  readonly cell: (layers: Layers, layer: number, threshold: number) => HTMLElement;
}

function cell(className: string, text: string, title?: string): HTMLElement {
  return h('div', { class: `cell ${className}`, role: 'gridcell', text, title });
}

function decibelColumn(measure: 'local' | 'accumulated', title: string, label: string): Column {
  return {
    key: measure,
    title,
    label,
    unit: 'dB',
    className: 'number',
    cell: (layers, layer, threshold) => {
      const low = measure === 'local' && isProblem(layers, layer, threshold);
      return cell(`number${low ? ' problem' : ''}`, bareDB(layers[measure][layer]!));
    },
  };
}

function changeColumn(key: 'localChange' | 'accumulatedChange', measure: MeasureName, label: string): Column {
  return {
    key,
    title: 'Δ',
    label,
    className: 'number change',
    compared: true,
    cell: (layers, layer) => {
      const change = changeOf(layers, measure, layer);
      return cell(`number change ${tone(change)}`, changeDB(change));
    },
  };
}

/** Half a decibel is what another set of images makes of the same model. */
const NOISE_DB = 0.5;

export function tone(change: number): 'better' | 'worse' | 'same' {
  return Number.isNaN(change) || Math.abs(change) < NOISE_DB ? 'same' : change > 0 ? 'better' : 'worse';
}

function timeColumn(measure: 'fp32' | 'int8'): Column {
  return {
    key: measure,
    title: measure,
    label: `Time in ${measure}`,
    className: 'number time',
    cell: (layers, layer) => cell('number time', time(layers[measure][layer]!)),
  };
}

const COLUMNS: readonly Column[] = [
  {
    key: 'status',
    title: '',
    label: 'Status',
    className: 'status',
    cell: ({ status }, layer) => {
      const { symbol, word } = STATUS_SIGNS[status[layer]!];
      const sign = h('span', { class: `sign ${status[layer]!}`, 'aria-hidden': true, text: symbol });
      return h('div', { class: 'cell status', role: 'gridcell', title: word, 'aria-label': word }, sign);
    },
  },
  {
    key: 'name',
    title: 'Layer',
    label: 'Layer',
    className: 'name',
    cell: ({ name }, layer) => {
      const text = printable(name[layer]!);
      // The end of a path tells layers apart, so that is what has to stay visible.
      return h('div', { class: 'cell name', role: 'gridcell', title: text }, h('bdi', { text }));
    },
  },
  {
    key: 'op',
    title: 'Operator',
    label: 'Operator',
    className: 'op',
    cell: ({ op }, layer) => cell('op', printable(op[layer]!), printable(op[layer]!)),
  },
  decibelColumn('local', 'Local', 'Local SQNR: the layer alone in int8'),
  changeColumn('localChange', 'local', 'Change of the local SQNR'),
  decibelColumn('accumulated', 'Accum.', 'Accumulated SQNR: the int8 model against fp32 at this layer'),
  changeColumn('accumulatedChange', 'accumulated', 'Change of the accumulated SQNR'),
  timeColumn('fp32'),
  timeColumn('int8'),
  {
    key: 'macs',
    title: 'MACs',
    label: 'Multiply-adds of one inference',
    className: 'number macs',
    cell: ({ macs }, layer) => cell('number macs', macs[layer] === 0 ? NOTHING : count(macs[layer]!)),
  },
];

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
    this.#rows.addEventListener('pointerover', (event) => {
      const layer = layerOf(event);
      if (layer !== undefined && event.buttons === 0) this.#actions.preview(layer);
    });
    this.#rows.addEventListener('click', (event) => {
      const layer = layerOf(event);
      if (layer !== undefined) this.#actions.pin(layer);
    });
    new ResizeObserver(() => {
      this.#drawRows(false);
    }).observe(this.target);
  }

  #columns(layers: Layers): readonly Column[] {
    return COLUMNS.filter(({ compared }) => compared !== true || layers.base !== null);
  }

  #drawHead({ layers, sort }: AppState): void {
    if (layers === null) return;
    this.target.classList.toggle('compared', layers.base !== null);
    const columns = this.#columns(layers);
    this.target.setAttribute('aria-colcount', String(columns.length));
    const heads = columns.map(({ key, title, label, unit, className }): Child => {
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
    const columns = this.#columns(layers);
    const rows = order
      .slice(first, last)
      .map((layer, i) =>
        h(
          'div',
          { class: 'row', role: 'row', id: rowId(layer), 'aria-rowindex': first + i + 2, 'data-layer': layer },
          ...columns.map((column) => column.cell(layers, layer, host.threshold)),
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
