/** What a dataset is, whatever it is read from. */

import type { Tensor } from '../tensor';

/** One model input as the runtime describes it; a dim is a number or a symbolic name. */
export interface InputInfo {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** Tensors by input name. */
export type Feeds = Readonly<Record<string, Tensor>>;

export interface Sample {
  /** File path relative to its source, with `/`; or `file#index`. */
  readonly id: string;
  /** Absolute path of the file where there is one. */
  readonly path?: string;
  readonly feeds: Feeds;
}

/** Something that was to be a sample and could not be read. */
export interface Skipped {
  readonly item: string;
  readonly reason: string;
}

export const DATASET_KINDS = ['images', 'npy', 'npz', 'tensor-proto', 'jsonl', 'module', 'synthetic'] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

export interface Dataset {
  readonly kind: DatasetKind;
  /** One sentence for people. */
  readonly description: string;
  /** Samples that will be read, after choosing. */
  readonly count: number;
  /** Their ids, in order. */
  readonly ids: readonly string[];
  /**
   * Streams the samples in order, a few read ahead, so that memory does not grow with the dataset.
   * What cannot be read is recorded in {@link skipped} and passed over.
   * @throws `data-invalid` where a sample does not fit the inputs, `data-empty` where not one could be
   * read, `cancelled`
   */
  samples(signal?: AbortSignal): AsyncIterable<Sample>;
  /** What was passed over so far: when opening, and in the latest run of {@link samples}. */
  readonly skipped: readonly Skipped[];
  /** Hash of contents, choice, inputs and preprocessing: the key of the calibration cache. */
  fingerprint(): Promise<string>;
}

/** One sample that has not been read yet. */
export interface Item {
  readonly id: string;
  readonly path?: string;
  /** Absolute paths of all that it is read from; empty where it comes from no file. */
  readonly files: readonly string[];
  /** `data-invalid` stops the run; any other failure skips the item. */
  read(): Promise<Feeds>;
}
