/** What is known of the point under the pointer, beside it. */

import { printable } from '../../src/shared/format';
import { changesText } from '../../src/shared/tuningText';
import { fill, h } from '../layers/dom';
import { COSTS, measured, QUALITIES } from './points';
import type { Scene } from './state';

const GAP = 16;

export class Tooltip {
  readonly element = h('div', { class: 'tooltip', hidden: true, 'aria-hidden': true });

  /** @param place of the point in the chart, CSS pixels */
  show(
    { tuning }: Scene,
    index: number,
    { left, top, width }: { readonly left: number; readonly top: number; readonly width: number },
  ): void {
    const point = tuning.points[index]!;
    const rows = measured([...QUALITIES, ...COSTS], tuning).map((measure) => {
      const value = measure.value(point);
      return h(
        'div',
        { class: 'row' },
        h('span', { class: 'muted', text: measure.short }),
        h('span', { text: value === null ? '–' : measure.text(value) }),
      );
    });
    fill(
      this.element,
      h('strong', { text: `${index + 1}. ${printable(changesText(point))}` }),
      ...rows,
      h('span', {
        class: point.reached ? 'better' : 'worse',
        text: point.reached ? '✓ holds the goal' : '✗ misses the goal',
      }),
    );
    this.element.hidden = false;
    const before = left > width / 2;
    // Through the object model: the policy of the page forbids styles in markup.
    this.element.style.left = before ? '' : `${left + GAP}px`;
    this.element.style.right = before ? `${width - left + GAP}px` : '';
    this.element.style.top = `${Math.max(0, top - GAP)}px`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
