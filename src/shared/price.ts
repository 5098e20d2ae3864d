/** What a change of the recipe costs and brings, as measured: the price tag of a fix. */

import type { Fix } from './fixes';
import type { Candidate } from './fixesToTry';

/** A difference with the interval in which it lies with 95 % confidence. */
export interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Whether zero lies in the interval: what is inside the noise is called that. */
export function isNoise({ low, high }: Difference): boolean {
  return low <= 0 && high >= 0;
}

/** Every number is new minus old, so that a positive dB or point is better and a positive byte is worse. */
export interface Price {
  /** dB at the worst output, pooled over the samples. */
  readonly sqnr: Difference;
  /** Points of the share of samples whose class equals that of fp32; `null` where no output is a classification. */
  readonly agreement: Difference | null;
  /** Points of top-1; `null` without labels. */
  readonly top1: Difference | null;
  /** Time of one inference, new ÷ old − 1: −0.1 is a tenth less. `null` where it was not timed. */
  readonly latency: Difference | null;
  /** Bytes of the int8 model; exact. */
  readonly bytes: number;
  /** What {@link sqnr} is more than, in dB; `null` without any error. Earlier versions did not write it. */
  readonly from?: number | null;
  /** Bytes, new ÷ old; earlier versions did not write it. */
  readonly sizeRatio?: number;
  /** Share of the multiply-adds that runs in int8, new minus old, in points; exact. */
  readonly macs: number;
  /** Samples that errors and accuracy were measured on. */
  readonly samples: number;
}

/** Which fixes of a run to try. */
export interface PricesInput {
  /** `report.json` of a run; its folder holds the calibration. */
  readonly report: string;
  /** Folder against which the paths of the recipe are resolved. */
  readonly baseDir: string;
  /** Only the fixes of this layer; by default those of the whole model and of the layers that contribute most. */
  readonly layer?: string;
  /** Samples to judge by. Default 100. */
  readonly samples?: number;
  /** Most fixes to try. Default 8. */
  readonly most?: number;
  /** Just these, instead of those that suggest themselves. */
  readonly candidates?: readonly Candidate[];
  /** About how long it may take; what is left then is not tried. A slow model is judged by fewer samples. */
  readonly seconds?: number;
  /** Of the confidence intervals. Default 0. */
  readonly seed?: number;
}

/** How long the fixes of a run are tried where nobody has said how many: what is left then is said. */
export const PRICES_SECONDS = 180;

export interface PricedFix {
  readonly fix: Fix;
  /** `null` for a fix of the whole model. */
  readonly layer: string | null;
  /** `null` where the recipe cannot be converted with it. */
  readonly price: Price | null;
  /** Why there is no price. */
  readonly why?: string;
}

export interface Prices {
  readonly samples: number;
  /** The run without any fix, on these samples. */
  readonly start: {
    /** dB at the worst output; `null` without any error. */
    readonly sqnr: number | null;
    /** Percent. */
    readonly agreement: number | null;
    readonly top1: number | null;
    readonly top1Fp32: number | null;
  };
  /** In the order in which they were tried: what is suggested first comes first. */
  readonly fixes: readonly PricedFix[];
  /** How many more would have been tried, had there been time. */
  readonly left?: number;
}
