/** Above the table: what it shows and in which order. */

import type { Status } from '../../src/shared/report';
import { h } from './dom';
import { arrange, STATUSES, type Sort } from './order';
import { NO_FILTER, type AppStore } from './state';
import { STATUS_SIGNS } from './text';

const SORTS: readonly (readonly [label: string, sort: Sort])[] = [
  ['Worst first', { key: 'local', descending: false }],
  ['Culprits first', { key: 'verdict', descending: false }],
  ['Graph order', { key: 'graph', descending: false }],
  ['Slowest first', { key: 'int8', descending: true }],
  ['Most multiply-adds', { key: 'macs', descending: true }],
];

export class Toolbar {
  readonly element: HTMLElement;
  readonly #store: AppStore;
  readonly #search: HTMLInputElement;
  readonly #count = h('span', { class: 'count', role: 'status' });

  constructor(store: AppStore) {
    this.#store = store;
    this.#search = h('input', {
      type: 'search',
      class: 'search',
      placeholder: 'Filter layers  ( / )',
      'aria-label': 'Filter layers by name, operator or kernel',
      value: store.state.filter.text,
      oninput: () => {
        this.#filter({ text: this.#search.value });
      },
    });
    const chips = STATUSES.map((status) => this.#chip(status));
    const options = SORTS.map(([label], i) => h('option', { value: String(i), text: label }));
    const order = h(
      'select',
      {
        'aria-label': 'Order of the layers',
        onchange: () => {
          const chosen = SORTS[Number(order.value)];
          if (chosen !== undefined) store.update({ sort: chosen[1] });
        },
      },
      ...options,
      h('option', { value: 'other', text: 'By column', hidden: true }),
    );
    this.element = h(
      'div',
      { class: 'toolbar' },
      this.#search,
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Status' }, ...chips),
      order,
      this.#count,
    );
    const showOrder = ({ key, descending }: Sort): void => {
      const found = SORTS.findIndex(([, sort]) => sort.key === key && sort.descending === descending);
      order.value = found === -1 ? 'other' : String(found);
    };
    showOrder(store.state.sort);
    store.on(['sort'], ({ sort }) => {
      showOrder(sort);
    });
    store.on(['layers', 'filter', 'sort'], ({ layers, filter, sort }) => {
      if (layers !== null) store.update({ order: arrange(layers, filter, sort) });
      chips.forEach((chip, i) => {
        const status = STATUSES[i]!;
        chip.setAttribute('aria-pressed', String(filter.statuses.includes(status)));
        const counted = layers?.status.filter((candidate) => candidate === status).length ?? 0;
        chip.querySelector('.number')!.textContent = String(counted);
      });
    });
    store.on(['layers'], ({ layers }) => {
      SORTS.forEach(([, { key }], i) => {
        options[i]!.hidden = key === 'verdict' && layers?.blame === null;
      });
    });
    store.on(['order', 'layers'], ({ order: shown, layers }) => {
      const all = layers?.count ?? 0;
      this.#count.textContent = shown.length === all ? `${all} layers` : `${shown.length} of ${all} layers`;
    });
  }

  focus(): void {
    this.#search.focus();
    this.#search.select();
  }

  /** Whether there was anything to clear. */
  clear(): boolean {
    const { text, statuses } = this.#store.state.filter;
    this.#search.value = '';
    this.#filter(NO_FILTER);
    return text !== '' || statuses.length < STATUSES.length;
  }

  #chip(status: Status): HTMLButtonElement {
    const { symbol, word } = STATUS_SIGNS[status];
    return h(
      'button',
      {
        type: 'button',
        class: 'chip',
        'aria-pressed': true,
        title: `Show or hide: ${word}`,
        onclick: () => {
          const { statuses } = this.#store.state.filter;
          const others = statuses.filter((candidate) => candidate !== status);
          this.#filter({ statuses: others.length < statuses.length ? others : [...statuses, status] });
        },
      },
      h('span', { class: `sign ${status}`, text: symbol, 'aria-hidden': true }),
      ` ${word} `,
      h('span', { class: 'number' }),
    );
  }

  #filter(change: Partial<typeof NO_FILTER>): void {
    this.#store.update({ filter: { ...this.#store.state.filter, ...change } });
  }
}
