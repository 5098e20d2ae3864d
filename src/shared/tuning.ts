/** What a tune is asked for, and what it found. */

import type { RecipeChange } from './fixes';
import type { Recipe } from './recipe';

/** What the result has to hold; those left out do not matter. At least one is given. */
export interface TuneGoal {
  /** Points of top-1 against fp32, or of agreement where there are no labels. */
  readonly maxDrop?: number;
  /** dB at the worst output. */
  readonly minSqnr?: number;
  /** Time of int8 ÷ time of fp32, one thread. */
  readonly maxLatencyRatio?: number;
}

export interface TuneInput {
  readonly recipe: Recipe;
  /** Folder against which the paths of the recipe are resolved. */
  readonly baseDir: string;
  /** Where the calibration cache is; by default the folder `NAME.quant` beside the model. */
  readonly outDir?: string;
  readonly goal: TuneGoal;
  /** Samples to judge by. Default 100. */
  readonly samples?: number;
  /** Most recipes to try. Default 40. */
  readonly trials?: number;
  /** Of the confidence intervals. Default 0. */
  readonly seed?: number;
}

/** One step of the recipe that was tried, with why. */
export interface TuneChange {
  readonly change: RecipeChange;
  /** For the comment in the recipe: what was measured. */
  readonly because: string;
}

/** One recipe that was tried: a point of the chart of accuracy against cost. */
export interface TunePoint {
  readonly changes: readonly TuneChange[];
  /** dB at the worst output; `null` without any error. */
  readonly sqnr: number | null;
  /** Percent. */
  readonly agreement: number | null;
  readonly top1: number | null;
  /** Of the int8 model. */
  readonly bytes: number;
  /** Share of the multiply-adds in int8, percent. */
  readonly macs: number;
  /** Time of int8 ÷ time of fp32; `null` where it was not timed. */
  readonly latencyRatio: number | null;
  /** Whether it holds the goal. */
  readonly reached: boolean;
}

export interface Tuning {
  readonly goal: TuneGoal;
  /** Percent of the samples that fp32 gets right; `null` without labels. */
  readonly top1Fp32: number | null;
  readonly samples: number;
  /** The recipe as it was. */
  readonly start: TunePoint;
  /** The best that was found: it holds the goal with the most in int8, or comes nearest to it. */
  readonly best: TunePoint;
  /** Every recipe that was tried, in order, the start among them. */
  readonly points: readonly TunePoint[];
  /** Whether the search was through; not where it was cancelled or ran out of trials. */
  readonly complete: boolean;
  /** Most recipes that it may try. */
  readonly trials: number;
  readonly seconds: number;
}
