/** What a measured price says of a fix, and in which order fixes are offered by it. Pure. */

import { priceOf } from './findings';
import { changeKey, type Fix } from './fixes';
import { isNoise, type Difference, type Price, type PricedFix, type Prices } from './price';

/** In the order in which fixes are offered. */
export const JUDGEMENTS = [
  'better',
  'untried',
  /** No difference beyond the noise. */
  'same',
  'worse',
  /** The recipe cannot be converted with it. */
  'impossible',
] as const;
export type Judgement = (typeof JUDGEMENTS)[number];

const isTold = (difference: Difference | null): difference is Difference => difference !== null && !isNoise(difference);

/** By the first that is beyond the noise: accuracy, then agreement with fp32, then error, then time. */
export function judge(priced: Pick<PricedFix, 'price'> | undefined): Judgement {
  if (priced === undefined) return 'untried';
  if (priced.price === null) return 'impossible';
  const { top1, agreement, sqnr, latency } = priced.price;
  const [quality] = [top1, agreement, sqnr].filter(isTold);
  if (quality !== undefined) return quality.value > 0 ? 'better' : 'worse';
  if (!isTold(latency)) return 'same';
  return latency.value < 0 ? 'better' : 'worse';
}

/** Whether it may be what to do first. */
export function promises(judgement: Judgement): boolean {
  return judgement === 'better' || judgement === 'untried';
}

/**
 * The share of the error power at the outputs that a fix takes away, and of the samples that it puts right, less the
 * share of time that it adds; where no time tells, less the share of the multiply-adds that go back to float.
 */
export function worth({ sqnr, top1, agreement, latency, macs }: Price): number {
  const classes = top1 ?? agreement;
  const error = isTold(sqnr) ? 1 - 10 ** (-sqnr.value / 10) : 0;
  const right = isTold(classes) ? classes.value / 100 : 0;
  return error + right - (isTold(latency) ? latency.value : Math.max(0, -macs) / 100);
}

/** What brings most for what it costs first, what makes things worse last; untried ones as they are suggested. */
export function byPrice(fixes: readonly Fix[], prices: Prices | undefined): Fix[] {
  return fixes
    .map((fix) => ({ fix, priced: priceOf(prices, changeKey(fix.change)) }))
    .toSorted((a, b) => comparePriced(a.priced, b.priced))
    .map(({ fix }) => fix);
}

/** Of fixes, of which `undefined` was not tried; 0 where neither comes first. */
export function comparePriced(a: PricedFix | undefined, b: PricedFix | undefined): number {
  const rank = JUDGEMENTS.indexOf(judge(a)) - JUDGEMENTS.indexOf(judge(b));
  if (rank !== 0 || !a?.price || !b?.price) return rank;
  return worth(b.price) - worth(a.price);
}
