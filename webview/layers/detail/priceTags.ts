/** Price tags as rows of words and numbers. Pure. */

import { bytes, number3, signed } from '../../../src/shared/format';
import { isNoise, type Difference, type Price } from '../../../src/shared/price';

export interface PriceRow {
  readonly label: string;
  readonly text: string;
  /** Where it lies with 95 % confidence; empty for what is exact. */
  readonly interval: string;
  readonly tone: 'better' | 'worse' | 'same';
  readonly hint: string;
}

const NOISE = 'noise';
const CONFIDENCE = 'In brackets: where it lies with 95 % confidence; with zero inside it is called noise.';

interface Kind {
  readonly label: string;
  readonly unit: string;
  readonly hint: string;
  /** What the value is shown as a multiple of. */
  readonly scale?: number;
  readonly lessIsBetter?: boolean;
}

function differenceRow(difference: Difference, { label, unit, hint, scale = 1, lessIsBetter = false }: Kind): PriceRow {
  const { value, low, high } = difference;
  if (low === 0 && high === 0) return { label, text: 'no change', interval: '', tone: 'same', hint };
  const noise = isNoise(difference);
  return {
    label,
    text: noise ? NOISE : `${signed(scale * value)} ${unit}`,
    interval: `${number3(scale * low)} … ${number3(scale * high)}${noise && unit !== 'points' ? ` ${unit}` : ''}`,
    tone: noise ? 'same' : value > 0 !== lessIsBetter ? 'better' : 'worse',
    hint: `${hint} ${CONFIDENCE}`,
  };
}

function exactRow(label: string, change: number, text: string, lessIsBetter: boolean, hint: string): PriceRow {
  const tone = change === 0 ? 'same' : change > 0 !== lessIsBetter ? 'better' : 'worse';
  return { label, text: change === 0 ? 'no change' : text, interval: '', tone, hint };
}

/** In the order in which one would ask. */
export function priceRows({ sqnr, top1, agreement, latency, bytes: grown, macs, samples }: Price): PriceRow[] {
  const on = `on ${samples} samples.`;
  return [
    differenceRow(sqnr, { label: 'Output', unit: 'dB', hint: `Change of the SQNR at the worst output, ${on}` }),
    ...(top1 === null
      ? []
      : [differenceRow(top1, { label: 'Top-1', unit: 'points', hint: `Change of the accuracy, ${on}` })]),
    ...(agreement === null
      ? []
      : [
          differenceRow(agreement, {
            ...{ label: 'Same class', unit: 'points' },
            hint: `Change of the share of samples whose class is that of the fp32 model, ${on}`,
          }),
        ]),
    ...(latency === null
      ? []
      : [
          differenceRow(latency, {
            ...{ label: 'Time', unit: '%', scale: 100, lessIsBetter: true },
            hint: 'Change of the time of one inference.',
          }),
        ]),
    exactRow(
      'Size',
      grown,
      `${grown > 0 ? '+' : '−'}${bytes(Math.abs(grown))}`,
      true,
      'Change of the model file; exact.',
    ),
    exactRow('In int8', macs, `${signed(macs)} points`, false, 'Change of the share of multiply-adds in int8; exact.'),
  ];
}
