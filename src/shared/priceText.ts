/** Price tags as text, the same in the terminal, in the editor and for agents. Pure. */

import { bytes, decibels, NOTHING, number3, signed } from './format';
import { judge, type Judgement } from './judgement';
import { isNoise, type Difference, type Price, type Prices } from './price';

/** `+1.20 dB (0.90 … 1.50)`; `noise (−0.10 … 0.20)` where zero lies in the interval. */
export function differenceText(difference: Difference | null, unit: string, scale = 1): string {
  if (difference === null) return NOTHING;
  const { value, low, high } = difference;
  if (low === 0 && high === 0) return 'none';
  const interval = `(${number3(scale * low)} … ${number3(scale * high)})`;
  return isNoise(difference) ? `noise ${interval}` : `${signed(scale * value)} ${unit} ${interval}`;
}

export function sizeText({ bytes: change }: Price): string {
  if (change === 0) return 'none';
  return `${change > 0 ? '+' : '−'}${bytes(Math.abs(change))}`;
}

/** One sentence with everything that was measured. */
export function priceText(price: Price): string {
  const { sqnr, agreement, top1, latency, macs, samples } = price;
  return [
    `output ${differenceText(sqnr, 'dB')}`,
    ...(top1 === null ? [] : [`top-1 ${differenceText(top1, 'points')}`]),
    ...(agreement === null ? [] : [`same class as fp32 ${differenceText(agreement, 'points')}`]),
    ...(latency === null ? [] : [`time ${differenceText(latency, '%', 100)}`]),
    `size ${sizeText(price)}`,
    `int8 multiply-adds ${macs === 0 ? 'the same' : `${signed(macs)} points`}`,
    `on ${samples} samples`,
  ].join(', ');
}

/** What a judgement is called where figures stand beside it. */
export const JUDGEMENT_TEXT: Readonly<Record<Judgement, string>> = {
  better: 'better',
  untried: 'not tried yet',
  same: 'no difference beyond the noise',
  worse: 'makes it worse',
  impossible: 'cannot be applied',
};

/** In a few words, what is beyond the noise: `output +9.95 dB, time +3.10 %`. */
export function briefPrice(priced: Parameters<typeof judge>[0]): string {
  const judgement = judge(priced);
  const price = priced?.price ?? null;
  if (price === null || judgement === 'same') return JUDGEMENT_TEXT[judgement];
  const { sqnr, top1, agreement, latency } = price;
  const told = (name: string, difference: Difference | null, unit: string, scale = 1): string[] =>
    difference === null || isNoise(difference) ? [] : [`${name} ${signed(scale * difference.value)} ${unit}`];
  const figures = [
    ...told('output', sqnr, 'dB'),
    ...(top1 === null ? told('same class', agreement, 'points') : told('top-1', top1, 'points')),
    ...told('time', latency, '%', 100),
  ].join(', ');
  return judgement === 'worse' ? `${JUDGEMENT_TEXT.worse}: ${figures}` : figures;
}

/**
 * The modes beside each other: `static (this run): 18.0 dB; dynamic: 30.1 dB, time +12.0 % (8.0 … 16.0), 1.02 times the
 * bytes`; `undefined` where no other was tried.
 */
export function modesText(mode: string, { start, fixes }: Prices): string | undefined {
  const others = fixes.flatMap(({ fix, price }) => {
    if (fix.change.kind !== 'mode' || price === null) return [];
    const sqnr = start.sqnr === null ? null : start.sqnr + price.sqnr.value;
    const time = price.latency === null ? [] : [`time ${differenceText(price.latency, '%', 100)}`];
    const size = price.sizeRatio === undefined ? [] : [`${number3(price.sizeRatio)} times the bytes`];
    return [`${fix.change.mode}: ${[decibels(sqnr), ...time, ...size].join(', ')}`];
  });
  return others.length === 0 ? undefined : [`${mode} (this run): ${decibels(start.sqnr)}`, ...others].join('; ');
}
