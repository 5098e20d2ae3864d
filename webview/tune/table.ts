/** The same recipes as rows, for those who read rather than look. */

import { printable } from '../../src/shared/format';
import { changesText } from '../../src/shared/tuningText';
import { fill, h } from '../layers/dom';
import { COSTS, measured, QUALITIES, type Measure } from './points';
import type { Scene } from './state';

export class Table {
  readonly element: HTMLElement;
  readonly #head = h('tr');
  readonly #body = h('tbody');
  readonly #pick: (index: number) => void;

  constructor(pick: (index: number) => void) {
    this.#pick = pick;
    this.element = h(
      'div',
      { class: 'list' },
      h('table', { 'aria-label': 'Recipes that were tried' }, h('thead', {}, this.#head), this.#body),
    );
  }

  update(scene: Scene | undefined): void {
    this.element.hidden = scene === undefined;
    if (scene === undefined) return;
    const measures = measured([...QUALITIES, ...COSTS], scene.tuning);
    fill(
      this.#head,
      h('th', { scope: 'col', text: '#', class: 'number' }),
      h('th', { scope: 'col', text: 'Recipe' }),
      h('th', { scope: 'col', text: 'Goal' }),
      ...measures.map(({ short, label }) => h('th', { scope: 'col', class: 'number', text: short, title: label })),
    );
    fill(this.#body, ...scene.tuning.points.map((_, index) => this.#row(scene, index, measures)));
  }

  #row({ tuning, chosen, shown, host }: Scene, index: number, measures: readonly Measure[]): HTMLElement {
    const point = tuning.points[index]!;
    const marks = [...(index === chosen ? ['best'] : []), ...(index === host.written ? ['in the recipe'] : [])];
    const button = h('button', {
      type: 'button',
      class: 'link',
      'data-key': `row-${index}`,
      'aria-pressed': index === shown,
      text: printable(changesText(point)),
      onclick: () => {
        this.#pick(index);
      },
    });
    return h(
      'tr',
      { class: [...(index === shown ? ['shown'] : []), ...(index === chosen ? ['chosen'] : [])].join(' ') },
      h('td', { class: 'number muted', text: String(index + 1) }),
      h('th', { scope: 'row' }, button, ...marks.map((mark) => h('span', { class: 'badge', text: mark }))),
      h('td', { class: point.reached ? 'better' : 'muted', text: point.reached ? '✓ holds' : '✗ misses' }),
      ...measures.map((measure) => {
        const value = measure.value(point);
        return h('td', { class: 'number', text: value === null ? '–' : measure.text(value) });
      }),
    );
  }
}
