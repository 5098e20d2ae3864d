/** What can be done, with what it brings and costs where that was measured. */

import { number3, percent, printable } from '../../../src/shared/format';
import { promises, type Judgement } from '../../../src/shared/judgement';
import type { Price, Prices } from '../../../src/shared/price';
import type { FixFacts, PricesFacts, TriedFacts } from '../../../src/shared/viewFacts';
import type { TryingFacts } from '../../../src/shared/viewProtocol';
import { h, type Child } from '../dom';
import type { Layers } from '../layers';
import { priceRows } from './priceTags';

export interface FixActions {
  /** @param layer `null` for the model as a whole */
  readonly fix: (layer: number | null, key: string) => void;
  readonly price: (layer: number | null) => void;
  readonly stopPrices: () => void;
}

export interface FixContext {
  readonly actions: FixActions;
  /** Why the recipe cannot be changed; `null` where it can. */
  readonly obstacle: string | null;
  /** Why nothing can be measured now; `null` where it can. */
  readonly busy: string | null;
  /** Fixes that are tried without being asked for. */
  readonly trying: TryingFacts | null;
  /** Whether anything can be measured of this model at all. */
  readonly asks: boolean;
}

const EXPLAINED = 'Each fix is converted and run on your data: what it brings, what it costs, and how sure that is.';

/** What is said of a fix where the figures alone do not say it. */
const JUDGED: Readonly<Record<Judgement, string>> = {
  better: '',
  untried: '',
  same: '= No difference beyond the noise',
  worse: '▼ Makes it worse',
  impossible: '✗ Cannot be applied',
};

export function fixesSection(fixes: readonly FixFacts[], layer: number | null, context: FixContext): Child {
  if (fixes.length === 0) return null;
  return h(
    'section',
    { class: 'fixes' },
    head('What can be done', fixes, layer, context),
    h('ul', {}, ...fixes.map((fix) => fixItem({ ...fix, offered: true, layer, primary: isFirst(fix) }, context))),
  );
}

/** What is offered first, unless it is known to bring nothing. */
function isFirst({ preferred, judgement }: FixFacts): boolean {
  return preferred && promises(judgement);
}

/** The fixes of the model and of the layers to blame, with their prices or the news that they are being tried. */
export function pricesSection(
  fixes: readonly FixFacts[],
  prices: PricesFacts | null,
  layers: Layers,
  context: FixContext,
): Child {
  if (prices === null) return fixesSection(fixes, null, context);
  return h(
    'section',
    { class: 'fixes' },
    head('What fixes bring and cost', prices.fixes, null, context),
    prices.start === null ? null : h('p', { class: 'hint', text: startText(prices.samples, prices.start) }),
    h(
      'ul',
      {},
      ...prices.fixes.map((priced, index) => {
        const { layer, judgement } = priced;
        const detail = layer === null ? 'The whole model.' : printable(layers.name[layer] ?? '');
        const primary = index === 0 && judgement === 'better';
        return fixItem({ ...priced, detail, primary }, context);
      }),
    ),
    prices.left === 0
      ? null
      : h('p', {
          class: 'hint',
          text: `${prices.left} more ${prices.left === 1 ? 'was' : 'were'} not tried: the time was up.`,
        }),
  );
}

/** The heading, with what measures the prices, or tells that they are being measured. */
function head(title: string, fixes: readonly TriedFacts[], layer: number | null, context: FixContext): HTMLElement {
  const { trying } = context;
  const waits = trying !== null && fixes.some(({ planned }) => planned);
  const measured = fixes.some(({ tag }) => tag !== null);
  return h(
    'div',
    { class: 'section-head' },
    h('h3', { text: title }),
    ...(waits ? progress(trying, layer, context) : [priceButton(layer, measured, context)]),
  );
}

function progress({ done, total, waits }: TryingFacts, layer: number | null, { actions }: FixContext): Child[] {
  const counted = total === 0 ? '' : ` ${done} of ${total}`;
  const hint = waits
    ? 'They are tried once the running job is done, and offered then.'
    : `${EXPLAINED} It is offered then.`;
  return [
    h('span', { class: 'hint trying', text: `${waits ? 'Waiting' : 'Being tried'}${counted}`, title: hint }),
    h('button', {
      type: 'button',
      class: 'button quiet',
      text: 'Stop',
      title: 'Try no more fixes in the background, and offer all',
      'data-key': `stop-${layer ?? 'model'}`,
      'data-action': 'stop-prices',
      onclick: () => {
        actions.stopPrices();
      },
    }),
  ];
}

function startText(samples: number, { sqnr, top1, top1Fp32, agreement }: Prices['start']): string {
  const now = [
    ...(sqnr === null ? [] : [`${number3(sqnr)} dB at the worst output`]),
    ...(top1 === null || top1Fp32 === null ? [] : [`top-1 ${number3(top1Fp32)} → ${percent(top1)}`]),
    ...(top1 !== null || agreement === null ? [] : [`${percent(agreement)} in the class of fp32`]),
  ];
  return `Against what it is now, on ${samples} samples: ${now.join(', ')}.`;
}

function priceButton(layer: number | null, measured: boolean, { actions, busy, asks }: FixContext): Child {
  if (!asks) return null;
  return h('button', {
    type: 'button',
    class: 'button',
    text: measured ? 'Measure again' : 'Measure prices',
    'data-key': `price-${layer ?? 'model'}`,
    'data-action': 'price',
    'aria-disabled': busy === null ? undefined : true,
    title: busy ?? EXPLAINED,
    onclick: () => {
      if (busy === null) actions.price(layer);
    },
  });
}

interface Item extends TriedFacts, Pick<FixFacts, 'detail'> {
  readonly kind?: FixFacts['kind'];
  readonly offered: boolean;
  readonly layer: number | null;
  readonly primary: boolean;
}

function fixItem(item: Item, { actions, obstacle, trying, asks }: FixContext): HTMLElement {
  const { key, title, detail, kind, layer, primary, judgement } = item;
  // What is going to be tried is offered with what it brings and costs.
  const offered = item.offered && !item.planned;
  // By what it changes: it may move in the list while somebody has the focus on it. Without blanks, which part ids.
  const id = `fix-${layer ?? 'model'}-${encodeURIComponent(key)}`;
  const button = h('button', {
    type: 'button',
    class: primary ? 'button primary' : 'button',
    text: printable(title),
    'data-key': id,
    'data-fix': kind,
    'aria-describedby': id,
    'aria-disabled': obstacle === null ? undefined : true,
    title: obstacle ?? printable(title),
    onclick: () => {
      if (obstacle === null) actions.fix(layer, key);
    },
  });
  return h(
    'li',
    { 'data-judgement': judgement },
    offered ? button : h('span', { class: 'title', text: printable(title) }),
    h('span', { class: 'hint', id, text: printable(detail) }),
    ...(asks ? priceElements(item, trying) : []),
  );
}

function priceElements({ key, planned, judgement, tag }: TriedFacts, trying: TryingFacts | null): Child[] {
  if (tag === null) return [untriedElement(planned, trying, key)];
  const { price, why } = tag;
  const word = JUDGED[judgement];
  const judged = h('span', { class: `judged ${judgement}`, text: word });
  if (price === null) {
    return [h('p', { class: 'price impossible' }, judged, `: ${printable(why ?? 'no reason is known')}`)];
  }
  return [word === '' ? null : judged, priceElement(price)];
}

function untriedElement(planned: boolean, trying: TryingFacts | null, key: string): HTMLElement {
  const [state, text] = !planned
    ? ['untried', 'Not tried yet']
    : trying?.current === key
      ? ['running', 'Being tried…']
      : ['waiting', trying === null ? 'Tried once the layer is selected' : 'To be tried'];
  return h('span', { class: `hint trial ${state}`, text });
}

function priceElement(price: Price): HTMLElement {
  return h(
    'dl',
    { class: 'price', 'aria-label': 'Price' },
    ...priceRows(price).map(({ label, text, interval, tone, hint }) =>
      h(
        'div',
        { title: hint },
        h('dt', { text: label }),
        h(
          'dd',
          {},
          h('span', { class: tone, text }),
          interval === '' ? null : h('span', { class: 'interval', text: `(${interval})` }),
        ),
      ),
    ),
  );
}
