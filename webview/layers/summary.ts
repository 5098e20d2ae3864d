/** The strip of numbers on top, in the largest type. */

import { plural, printable } from '../../src/shared/format';
import type { ReportFacts } from '../../src/shared/viewFacts';
import { fill, h } from './dom';
import { figures, type Change, type Figure } from './figures';
import { isProblem, type Layers } from './layers';
import { STATUSES } from './order';
import type { AppStore } from './state';
import { STATUS_SIGNS } from './text';

export class Summary {
  readonly element = h('dl', { class: 'summary', 'aria-label': 'Result' });

  constructor(store: AppStore) {
    store.on(['host', 'layers'], ({ host, layers }) => {
      if (host?.content.kind !== 'report') return;
      const { report } = host.content;
      fill(
        this.element,
        ...figures(report).map((figure) => figureElement(figure, report)),
        countsElement(report),
        layers === null ? null : problemsElement(layers, host.threshold),
      );
    });
  }
}

function changeElement(className: string, { text, tone, hint }: Change, prefix: string): HTMLElement {
  return h('span', { class: `${className} ${tone}`, title: hint, text: `${prefix}${text}` });
}

function sinceWords({ base }: ReportFacts): string {
  return base?.relation === 'chosen' ? 'against the compared run' : 'since the previous run';
}

function figureElement({ label, before, value, change, since, hint }: Figure, report: ReportFacts): HTMLElement {
  return h(
    'div',
    { class: 'figure' },
    h('dt', { text: label, title: printable(hint) }),
    h(
      'dd',
      {},
      h(
        'span',
        { class: 'value' },
        before === null ? null : h('span', { class: 'before', text: `${before} → ` }),
        h('strong', { text: value }),
      ),
      h(
        'span',
        { class: 'changes' },
        change === null ? null : changeElement('change', change, ''),
        since === null ? null : changeElement('since', { hint: `Change ${sinceWords(report)}.`, ...since }, 'Δ '),
      ),
    ),
  );
}

function countsElement(report: ReportFacts): HTMLElement {
  const { counts, shapeComputations } = report.run;
  const changes = STATUSES.flatMap((status) => {
    const change = report.base === null ? 0 : counts[status] - report.base.counts[status];
    return change === 0 ? [] : [`${STATUS_SIGNS[status].symbol} ${change > 0 ? '+' : '−'}${Math.abs(change)}`];
  });
  return h(
    'div',
    { class: 'figure counts' },
    h('dt', {
      text: 'Layers',
      title: 'How many layers the runtime runs in int8, in float on purpose, or in float for lack of a kernel.',
    }),
    h(
      'dd',
      {},
      h(
        'span',
        { class: 'value' },
        ...STATUSES.map((status) =>
          h(
            'span',
            { class: 'status-count', title: STATUS_SIGNS[status].word },
            h('span', { class: `sign ${status}`, text: STATUS_SIGNS[status].symbol, 'aria-hidden': true }),
            h('strong', { text: String(counts[status]) }),
            h('span', { class: 'word', text: STATUS_SIGNS[status].word }),
          ),
        ),
        shapeComputations === 0
          ? null
          : h('span', { class: 'word', text: `and ${plural(shapeComputations, 'shape computation')}` }),
      ),
      h(
        'span',
        { class: 'changes' },
        changes.length === 0
          ? null
          : h('span', { class: 'since same', text: `Δ ${changes.join('  ')}`, title: `Change ${sinceWords(report)}.` }),
      ),
    ),
  );
}

/** Answers the second question: if it is not good enough, where? */
function problemsElement(layers: Layers, threshold: number): HTMLElement {
  let [problems, worst]: [number, number | null] = [0, null];
  for (let layer = 0; layer < layers.count; layer += 1) {
    if (isProblem(layers, layer, threshold)) problems += 1;
    if (layers.rank[layer] === 0) worst = layer;
  }
  const text = worst === null ? '' : `worst: ${printable(layers.name[worst]!)}`;
  return h(
    'div',
    { class: 'figure problems' },
    h('dt', {
      text: `Below ${threshold} dB`,
      title: 'Layers whose own error is larger than the setting quantscope.threshold allows.',
    }),
    h(
      'dd',
      {},
      h(
        'span',
        { class: 'value' },
        h('strong', { class: problems > 0 ? 'problem' : '', text: plural(problems, 'layer') }),
      ),
      h('span', { class: 'changes' }, h('span', { class: 'since same ellipsis', text, title: text })),
    ),
  );
}
