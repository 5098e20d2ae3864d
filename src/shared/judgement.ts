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

/** Modes change error, time and size at once: what one brings on balance must be more than this share of the whole. */
const BALANCE = 0.1;

/** Of a signal spread evenly over 256 steps, 20·log10(256) dB: of what lies below, eight bits make nothing better. */
const EIGHT_BITS = 48.2;

/**
 * What another mode brings on balance: the share of the error power that it takes away, of the time and of the bytes,
 * each at that end of its interval. Where the worst ends are still a gain, another set of samples does not turn it.
 */
function balance({ sqnr, from, latency, macs, sizeRatio = 1 }: Price, end: 'low' | 'high'): number {
  const before = from === undefined ? 0 : (from ?? Infinity);
  const after = before + (end === 'low' ? sqnr.low : sqnr.high);
  const more = Math.min(EIGHT_BITS, after) - Math.min(EIGHT_BITS, before);
  const error = 1 - 10 ** (-more / 10);
  const slower = latency === null ? Math.max(0, -macs) / 100 : end === 'low' ? latency.high : latency.low;
  return error - slower - (sizeRatio - 1);
}

function judgeMode(price: Price): Judgement {
  if (balance(price, 'low') > BALANCE) return 'better';
  return balance(price, 'high') < -BALANCE ? 'worse' : 'same';
}

/** By the first that is beyond the noise: accuracy, then agreement with fp32, then error, then time; a mode on balance. */
export function judge(priced: (Pick<PricedFix, 'price'> & Partial<Pick<PricedFix, 'fix'>>) | undefined): Judgement {
  if (priced === undefined) return 'untried';
  if (priced.price === null) return 'impossible';
  if (priced.fix?.kind === 'mode') return judgeMode(priced.price);
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
