/** Where the error of a model comes from: what a layer adds to it, of what kind, and what that makes of the layer. */

import type { Cause } from './causes';
import type { Fix } from './fixes';

export const ERROR_SOURCES = [
  'weight-rounding',
  'weight-clipping',
  'activation-rounding',
  'activation-clipping',
  'bias',
  'kernel',
] as const;
export type ErrorSource = (typeof ERROR_SOURCES)[number];

/** The power of a layer's local error, split by what makes it. */
export interface ErrorSplit {
  /** Σe² / Σx²: SQNR = −10·log10(power). */
  readonly power: number;
  /** Σδᵢ·e / Σe², which sum to 1; negative where a source takes back what others do. */
  readonly shares: Readonly<Record<ErrorSource, number>>;
}

/**
 * culprit: makes much of the error at the outputs. amplifier: makes the error of the layers before it
 * larger. victim: has little SQNR left, but inherits its error. harmless: none of these.
 */
export const VERDICTS = ['culprit', 'amplifier', 'victim', 'harmless'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A shape for each, since colours are not seen by everybody; the same in the terminal, the tree and the layer view. */
export const VERDICT_SYMBOLS: Readonly<Record<Verdict, string>> = {
  culprit: '●',
  amplifier: '◆',
  victim: '◇',
  harmless: '·',
};

export interface LayerVerdict {
  readonly layer: string;
  readonly verdict: Verdict;
  /** One sentence for people. */
  readonly why: string;
  /** dB at the model's outputs with this layer alone quantized; `null` where that changes nothing. */
  readonly only: number | null;
  /** dB at the model's outputs of the int8 model with this layer alone in float; `null` without any error left. */
  readonly without: number | null;
  /** Share of the layer in the error powers of all layers, each quantized alone; percent. */
  readonly share: number;
  /** How much the SQNR falls between the layer's output and the model's, where it is quantized alone; dB. */
  readonly growth: number | null;
  /** `null` for layers with several outputs. */
  readonly split: ErrorSplit | null;
  /** The likeliest first; empty where the data shows nothing unusual. */
  readonly causes: readonly Cause[];
}

export interface SweepCost {
  /** Time that the variants ran, as a multiple of one fp32 pass over the same samples. */
  readonly passes: number;
  /** Layers that were swept. */
  readonly layers: number;
  /** Of the whole search behind the calibration: sessions opened, data read, errors split. */
  readonly seconds: number;
}

/** Where the error of one run comes from: `culprits.json` beside its report. */
export interface Culprits {
  readonly version: 1;
  /** `created` of the report it belongs to. */
  readonly report: string;
  readonly samples: number;
  /** dB of the int8 model at the worst part of its outputs, on these samples; `null` without any error. */
  readonly sqnr: number | null;
  readonly cost: SweepCost;
  /** Of the model as a whole: its data and preprocessing. */
  readonly causes: readonly Cause[];
  /** In the order of the graph. */
  readonly layers: readonly LayerVerdict[];
}

export interface CulpritsInput {
  /** `report.json` of a run; its folder holds the calibration. */
  readonly report: string;
  /** Folder against which the paths of the recipe are resolved. */
  readonly baseDir: string;
  /** Samples of the sweep. Default 16. */
  readonly samples?: number;
  /** In dB: layers below it are problems. Default 20. */
  readonly threshold?: number;
}

/** The one to look at first comes first: culprits by their share, then amplifiers, victims and the rest. */
export function byBlame(a: LayerVerdict, b: LayerVerdict): number {
  return VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) || b.share - a.share;
}

export interface Suggestion {
  /** `null` for the model as a whole. */
  readonly layer: string | null;
  readonly cause: Cause;
  readonly fix: Fix;
}

/** Percent; a fault that several layers share, such as one scale for unequal tensors, has no single culprit. */
const SHARED = 10;

/** The layers whose causes matter, the one to look at first first. */
export function blamed(layers: readonly LayerVerdict[]): LayerVerdict[] {
  const isBlamed = ({ verdict, share }: LayerVerdict): boolean =>
    verdict === 'culprit' || verdict === 'amplifier' || share >= SHARED;
  return layers.filter(isBlamed).toSorted(byBlame);
}

/** What to do, the first thing first: what is wrong with the data, then the layers by their blame. */
export function suggestions({ causes, layers }: Culprits): Suggestion[] {
  const all = [
    ...causes.map((cause) => ({ layer: null, cause })),
    ...blamed(layers).flatMap(({ layer, causes: own }) => own.map((cause) => ({ layer, cause }))),
  ];
  return all.flatMap(({ layer, cause }) => (cause.fix === undefined ? [] : [{ layer, cause, fix: cause.fix }]));
}
