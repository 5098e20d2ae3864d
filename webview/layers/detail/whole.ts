/** The pane where no layer is selected: what to look at first, what can be done, and where the time goes. */

import { number3, plural, printable } from '../../../src/shared/format';
import { VERDICTS } from '../../../src/shared/verdicts';
import type { CulpritsFacts, ReportFacts } from '../../../src/shared/viewFacts';
import { h, type Child } from '../dom';
import { isProblem, sortedByBlame, sortedByError, type Blame, type Layers } from '../layers';
import { errorText } from '../text';
import { shareText } from '../verdicts';
import { causesElement, verdictBadge, type OpenSample } from './blame';
import { pricesSection, type FixContext } from './fixes';
import { speedSection, type SpeedContext } from './speed';

export interface WholeContext extends FixContext, SpeedContext {
  readonly findCulprits: () => void;
  readonly openSample: OpenSample;
}

/** Layers that are proposed. */
const PROPOSED = 5;

export function wholeModel(
  { culprits, fixes, prices, speed }: ReportFacts,
  layers: Layers,
  threshold: number,
  width: number,
  context: WholeContext,
): Child[] {
  const found = culprits !== null && layers.blame !== null;
  return [
    h('h2', { text: found ? 'Where the error comes from' : 'Where to look first' }),
    ...(found ? blamed(culprits, layers, layers.blame, context) : worst(layers, threshold, context)),
    pricesSection(fixes, prices, layers, context),
    speedSection(layers, speed, width, context),
    h('p', {
      class: 'hint',
      text: 'Point at a layer to preview it, click to pin it. Keys: arrows move, Enter pins, Esc unpins, / searches, + − 0 zoom.',
    }),
  ];
}

function blamed(culprits: CulpritsFacts, layers: Layers, blame: Blame, context: WholeContext): Child[] {
  const { counts, causes, samples, cost } = culprits;
  const order = sortedByBlame(blame).filter((layer) => blame.verdict[layer] !== 'harmless');
  return [
    h(
      'p',
      { class: 'verdicts' },
      ...VERDICTS.filter((verdict) => counts[verdict] > 0).map((verdict) =>
        h('span', {}, h('b', { text: `${counts[verdict]} ` }), verdictBadge(verdict)),
      ),
    ),
    proposals(order.slice(0, PROPOSED), layers, context, (layer) => [
      verdictBadge(blame.verdict[layer]!),
      h('span', { class: 'number', text: shareText(blame.share[layer]!) }),
    ]),
    causesElement(causes, context.openSample),
    h('p', {
      class: 'hint',
      text: `Of ${plural(samples, 'sample')}, at the cost of ${number3(cost.passes)} fp32 passes over them. Percent: share of the error at the outputs.`,
    }),
  ];
}

function worst(layers: Layers, threshold: number, context: WholeContext): Child[] {
  const order = sortedByError(layers.local);
  if (order.length === 0) return [h('p', { class: 'hint', text: 'No layer runs in int8; select one to see why.' })];
  const problems = order.filter((layer) => isProblem(layers, layer, threshold)).length;
  const verdict =
    problems === 0
      ? `Every layer stays above ${threshold} dB. The weakest ones:`
      : `${plural(problems, 'layer')} below ${threshold} dB. The worst ones:`;
  return [
    h('p', { text: verdict }),
    proposals(order.slice(0, PROPOSED), layers, context, (layer) => [
      h('span', {
        class: isProblem(layers, layer, threshold) ? 'number problem' : 'number',
        text: errorText(layers, 'local', layer),
      }),
    ]),
    ...(context.asks ? culpritsQuestion(context) : []),
  ];
}

function culpritsQuestion(context: WholeContext): Child[] {
  return [
    h('p', {
      class: 'hint',
      text: 'A layer with little SQNR need not be the one that hurts. Which make the error at the outputs, which inherit it, and why?',
    }),
    h(
      'div',
      { class: 'actions' },
      h('button', {
        type: 'button',
        class: 'button',
        text: 'Find culprits',
        'data-key': 'find-culprits',
        'aria-disabled': context.busy === null ? undefined : true,
        title: context.busy ?? 'Tries each layer alone in int8, and alone in float.',
        onclick: () => {
          if (context.busy === null) context.findCulprits();
        },
      }),
    ),
  ];
}

function proposals(
  order: readonly number[],
  layers: Layers,
  { pin }: WholeContext,
  facts: (layer: number) => readonly Child[],
): HTMLElement {
  return h(
    'ol',
    { class: 'proposals' },
    ...order.map((layer) =>
      h(
        'li',
        {},
        h(
          'button',
          {
            type: 'button',
            class: 'link',
            'data-key': `propose-${layer}`,
            onclick: () => {
              pin(layer);
            },
          },
          h('span', { class: 'name ellipsis', text: printable(layers.name[layer]!) }),
          ...facts(layer),
        ),
      ),
    ),
  );
}
