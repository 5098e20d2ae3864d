/** What fixes bring and cost, for people: a table, the one that brings most for what it costs first. */

import { decibels, NOTHING, percent, plural, printable, signed } from '../shared/format';
import { comparePriced, judge, type Judgement } from '../shared/judgement';
import type { Difference, PricedFix, Prices } from '../shared/price';
import { differenceText, modesText, sizeText } from '../shared/priceText';
import type { Paint, Style } from './style';
import { facts, table, type Column } from './table';

const WORDS: Readonly<Record<Judgement, string>> = {
  better: '▲ better',
  untried: 'not tried',
  same: '= noise',
  worse: '▼ worse',
  impossible: '✗ no',
};

const PAINTS: Readonly<Partial<Record<Judgement, (style: Style) => Paint>>> = {
  better: (style) => style.green,
  worse: (style) => style.red,
};

/** @param mode of the run */
export function pricesText(prices: Prices, mode: string, style: Style): string {
  const { fixes, start, samples, left = 0 } = prices;
  const strip = facts(
    [
      ['now', `${decibels(start.sqnr)} at the worst output`],
      [
        'top-1',
        start.top1 === null || start.top1Fp32 === null
          ? undefined
          : `${percent(start.top1Fp32)} → ${percent(start.top1)}`,
      ],
      ['same class', start.agreement === null ? undefined : percent(start.agreement)],
      ['modes', modesText(mode, prices)],
      ['judged by', `${plural(samples, 'sample')}; in brackets what lies inside with 95 % confidence`],
      ['not tried', left === 0 ? undefined : `${left} more, for lack of time`],
    ],
    style,
  );
  const sorted = fixes.toSorted(comparePriced);
  return [fixes.length === 0 ? 'Nothing suggests itself.' : table(COLUMNS, sorted, style), strip].join('\n\n');
}

const COLUMNS: readonly Column<PricedFix>[] = [
  {
    title: 'verdict',
    value: (priced) => WORDS[judge(priced)],
    paint: (priced, style) => PAINTS[judge(priced)]?.(style),
  },
  { title: 'fix', value: ({ fix }) => printable(fix.title) },
  {
    title: 'output SQNR',
    value: ({ price, why }) =>
      price === null ? `not possible: ${printable(why ?? '')}` : differenceText(price.sqnr, 'dB'),
  },
  { title: 'top-1', value: ({ price }) => priced(price?.top1, 'points') },
  { title: 'same class', value: ({ price }) => priced(price?.agreement, 'points') },
  { title: 'time', value: ({ price }) => priced(price?.latency, '%', 100) },
  { title: 'size', align: 'right', value: ({ price }) => (price === null ? NOTHING : sizeText(price)) },
  {
    title: 'in int8',
    align: 'right',
    value: ({ price }) => (price === null || price.macs === 0 ? '' : `${signed(price.macs)} points`),
  },
];

function priced(difference: Difference | null | undefined, unit: string, scale?: number): string | undefined {
  return difference === undefined || difference === null ? undefined : differenceText(difference, unit, scale);
}
