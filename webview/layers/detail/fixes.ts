/** What can be done, with what it brings and costs where that was measured. */

import { number3, percent, printable } from '../../../src/shared/format';
import type { FixFacts, PricesFacts, PriceTag } from '../../../src/shared/viewFacts';
import { h, type Child } from '../dom';
import type { Layers } from '../layers';
import { priceRows } from './priceTags';

export interface FixActions {
  /** @param layer `null` for the model as a whole */
  readonly fix: (layer: number | null, fix: number) => void;
  readonly price: (layer: number | null) => void;
}

export interface FixContext {
  readonly actions: FixActions;
  /** Why the recipe cannot be changed; `null` where it can. */
  readonly obstacle: string | null;
  /** Why nothing can be measured now; `null` where it can. */
  readonly busy: string | null;
  /** Whether anything can be measured of this model at all. */
  readonly asks: boolean;
}

const EXPLAINED = 'Each fix is converted and run on your data: what it brings, what it costs, and how sure that is.';

export function fixesSection(fixes: readonly FixFacts[], layer: number | null, context: FixContext): Child {
  if (fixes.length === 0) return null;
  const measured = fixes.some(({ tag }) => tag !== null);
  return h(
    'section',
    { class: 'fixes' },
    h('div', { class: 'section-head' }, h('h3', { text: 'What can be done' }), priceButton(layer, measured, context)),
    h('ul', {}, ...fixes.map((fix, index) => fixItem({ ...fix, index, layer, primary: fix.preferred }, context))),
  );
}

/** The fixes of the model and of the layers to blame; those that were tried with their prices. */
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
    h(
      'div',
      { class: 'section-head' },
      h('h3', { text: 'What fixes bring and cost' }),
      priceButton(null, true, context),
    ),
    h('p', { class: 'hint', text: startText(prices) }),
    h(
      'ul',
      {},
      ...prices.fixes.map(({ title, layer, fix, tag }) => {
        const detail = layer === null ? 'The whole model.' : printable(layers.name[layer] ?? '');
        return fixItem({ title, detail, index: fix, layer, tag, primary: false }, context);
      }),
    ),
  );
}

function startText({ samples, start: { sqnr, top1, top1Fp32, agreement } }: PricesFacts): string {
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

interface Item extends Pick<FixFacts, 'title' | 'detail' | 'tag'> {
  readonly kind?: FixFacts['kind'];
  /** Its position among the fixes of the layer; `null` for one that is not offered any more. */
  readonly index: number | null;
  readonly layer: number | null;
  readonly primary: boolean;
}

function fixItem(
  { title, detail, tag, kind, index, layer, primary }: Item,
  { actions, obstacle }: FixContext,
): HTMLElement {
  const id = `fix-${layer ?? 'model'}-${index ?? title}`;
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
      if (obstacle === null && index !== null) actions.fix(layer, index);
    },
  });
  return h(
    'li',
    {},
    index === null ? h('span', { class: 'title', text: printable(title) }) : button,
    h('span', { class: 'hint', id, text: printable(detail) }),
    tag === null ? null : priceElement(tag),
  );
}

function priceElement({ price, why }: PriceTag): HTMLElement {
  if (price === null) {
    return h('p', {
      class: 'price impossible',
      text: `It cannot be applied: ${printable(why ?? 'no reason is known')}`,
    });
  }
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
          interval === '' ? null : h('span', { class: 'interval', text: ` (${interval})` }),
        ),
      ),
    ),
  );
}
