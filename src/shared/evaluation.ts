/** Accuracy of one classifier on labelled data. */

import type { Recipe } from './recipe';

export interface EvaluateInput {
  /** Paths are relative to {@link baseDir}. */
  readonly model: string;
  readonly data: string | readonly string[];
  /** A file with one `file<TAB>class index` per line. */
  readonly labels: string;
  readonly preprocess?: Recipe['preprocess'];
  /** How many samples, evenly spread over the data; all where left out. */
  readonly samples?: number;
  readonly baseDir: string;
}

export interface Evaluation {
  /** Absolute path. */
  readonly model: string;
  /** The output that was read as class scores. */
  readonly output: string;
  readonly classes: number;
  /** Labelled samples that were run. */
  readonly samples: number;
  /** Percent of the samples whose class has the highest score. */
  readonly top1: number;
  /** Percent of the samples whose class is among the five highest scores; `null` for five classes or fewer. */
  readonly top5: number | null;
  /** Mean time of one inference, without reading and preprocessing. */
  readonly milliseconds: number;
  /** Samples without a label; they were not run. */
  readonly unlabelled: number;
  /** Labels whose file was not among the samples. */
  readonly missing: number;
  /** What could not be read. */
  readonly skipped: readonly { readonly item: string; readonly reason: string }[];
}
