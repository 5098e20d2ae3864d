/** Verdicts and sources of error in words. Pure. */

import { printable } from '../../src/shared/format';
import type { ErrorSource, Verdict } from '../../src/shared/verdicts';

/** What a verdict means, in a sentence. */
export const VERDICT_HINTS: Readonly<Record<Verdict, string>> = {
  culprit: 'It makes much of the error at the outputs.',
  amplifier: 'It makes the error of the layers before it larger.',
  victim: 'It has little SQNR left, but inherits its error from the layers before it.',
  harmless: 'It makes little of the error at the outputs.',
};

export const SOURCE_WORDS: Readonly<Record<ErrorSource, string>> = {
  'weight-rounding': 'weights rounded',
  'weight-clipping': 'weights clipped',
  'activation-rounding': 'activations rounded',
  'activation-clipping': 'activations clipped',
  bias: 'bias',
  kernel: 'kernel',
};

export const SOURCE_HINTS: Readonly<Record<ErrorSource, string>> = {
  'weight-rounding': 'The steps of the weights are too coarse: more scales (per channel), or float.',
  'weight-clipping': 'Weights lie beyond the range of their scale.',
  'activation-rounding': 'The steps of the activations are too coarse: a smaller range, 16 bits, or float.',
  'activation-clipping': 'Activations lie beyond the range that calibration chose: a wider range.',
  bias: 'The bias is rounded, or corrects what the other errors do to the mean.',
  kernel: 'What the int8 kernel of this CPU adds to exact arithmetic, such as saturation.',
};

/** A share of the error in words; next to nothing is not zero. */
export function shareText(percent: number): string {
  if (Number.isNaN(percent)) return '–';
  if (percent > 0 && percent < 0.1) return '<0.1 %';
  return `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

export function sampleName(id: string): string {
  return printable(id.slice(id.lastIndexOf('/') + 1));
}
