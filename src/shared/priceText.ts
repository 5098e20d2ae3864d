/** Price tags as text, the same in the terminal, in the editor and for agents. Pure. */

import { bytes, NOTHING, number3, signed } from './format';
import { judge, type Judgement } from './judgement';
import { isNoise, type Difference, type Price, type PricedFix } from './price';

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
export function briefPrice(priced: Pick<PricedFix, 'price'> | undefined): string {
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
