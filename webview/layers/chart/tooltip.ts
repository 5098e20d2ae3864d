/** The numbers of the layer under the pointer. */

import { printable, shorten } from '../../../src/shared/format';
import { fill, h } from '../dom';
import { changeOf, STATUSES } from '../order';
import type { AppState } from '../state';
import { changeDB, errorText, STATUS_SIGNS } from '../text';
import { shareText } from '../verdicts';

const AWAY = 14;
const LONGEST_NAME = 60;

export class Tooltip {
  // What it says is in the table and in the details as well, and is announced on the way there.
  readonly element = h('div', { class: 'tooltip', hidden: true, 'aria-hidden': true });

  show(
    state: AppState,
    layer: number,
    x: number,
    y: number,
    area: { readonly width: number; readonly height: number },
  ): void {
    const { layers } = state;
    if (layers === null) return;
    const status = STATUSES.find((candidate) => candidate === layers.status[layer])!;
    const verdict = layers.blame?.verdict[layer] ?? null;
    const row = (name: string, value: string, change: string): HTMLElement =>
      h(
        'div',
        { class: 'row' },
        h('span', { text: name }),
        h('b', { text: value }),
        h('span', { class: 'change', text: change }),
      );
    fill(
      this.element,
      h('div', { class: 'name', text: shorten(printable(layers.name[layer]!), LONGEST_NAME) }),
      h(
        'div',
        { class: 'kind' },
        h('span', { class: `sign ${status}`, text: STATUS_SIGNS[status].symbol }),
        ` ${STATUS_SIGNS[status].word} · ${layers.op[layer]!}`,
      ),
      Number.isNaN(layers.local[layer]!)
        ? null
        : row('local', errorText(layers, 'local', layer), changeDB(changeOf(layers, 'local', layer))),
      row('accumulated', errorText(layers, 'accumulated', layer), changeDB(changeOf(layers, 'accumulated', layer))),
      verdict === null ? null : row(verdict, shareText(layers.blame?.share[layer] ?? NaN), 'of error'),
    );
    this.element.hidden = false;
    const { offsetWidth, offsetHeight } = this.element;
    const left = x + AWAY + offsetWidth > area.width ? x - AWAY - offsetWidth : x + AWAY;
    const top = Math.min(area.height - offsetHeight, Math.max(0, y - offsetHeight / 2));
    this.element.style.transform = `translate(${Math.max(0, left)}px, ${top}px)`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
