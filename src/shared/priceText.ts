/** Price tags as text, the same in the terminal and for agents. Pure. */

import { bytes, NOTHING, number3, signed } from './format';
import { isNoise, type Difference, type Price } from './price';

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
