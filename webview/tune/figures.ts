/** The strip of numbers on top: what the recipe was like, and what the one that is looked at makes of it. */

import { fill, h } from '../layers/dom';
import { COSTS, measured, QUALITIES, type Measure } from './points';
import type { Scene } from './state';

export class Figures {
  readonly element = h('dl', { class: 'summary', 'aria-label': 'Before and after' });

  update(scene: Scene | undefined): void {
    this.element.hidden = scene === undefined;
    if (scene === undefined) return;
    const all = measured([...QUALITIES, ...COSTS], scene.tuning);
    // Where there are labels, they say better than agreement how good it is.
    const labelled = all.some(({ key }) => key === 'top1');
    const told = all.filter(({ key }) => !labelled || key !== 'agreement');
    fill(this.element, ...told.map((measure) => figure(measure, scene)));
  }
}

function figure(measure: Measure, { tuning, point }: Scene): HTMLElement {
  const [before, after] = [measure.value(tuning.points[0]!), measure.value(point)];
  const text = (value: number | null): string => (value === null ? '–' : measure.text(value));
  const same = before === after || text(before) === text(after);
  // What it costs is no alarm: the person has asked for the exchange.
  const gained = !same && before !== null && after !== null && after > before === (measure.better === 'more');
  return h(
    'div',
    { class: 'figure' },
    h('dt', { text: measure.short, title: measure.label }),
    h(
      'dd',
      {},
      h(
        'span',
        { class: 'value' },
        same ? null : h('span', { class: 'before', text: `${text(before)} → ` }),
        h('strong', { class: gained ? 'better' : '', text: text(after) }),
      ),
    ),
  );
}
