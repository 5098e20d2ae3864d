/** Speed of several models against each other. */

import type { Recipe } from './recipe';
import type { Speedup } from './speed';

export interface BenchmarkInput {
  /** The first is the one the others are compared with. Paths are relative to {@link baseDir}. */
  readonly models: readonly string[];
  /** Threads inside one operator. Default 1. */
  readonly threads?: number;
  /** Untimed rounds before the first timed one. Default 10. */
  readonly warmup?: number;
  /** Timed rounds; in each, every model runs once. Default 100. */
  readonly runs?: number;
  /** Of the random inputs. Default 0. */
  readonly seed?: number;
  /** Shapes by input name, for inputs with dimensions that are not fixed. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  readonly baseDir: string;
  /** Of PyTorch: how the first model is built and fed. A recipe among the models says so by itself. */
  readonly recipe?: Recipe;
}

/** Milliseconds of one inference, the size of the file, and how the median of the first model is beside this one's. */
export interface BenchmarkEntry extends Speedup {
  /** Absolute path. */
  readonly model: string;
  /** Of the model file with its external data. */
  readonly bytes: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly min: number;
}

export interface Benchmark {
  readonly threads: number;
  readonly warmup: number;
  readonly runs: number;
  readonly seed: number;
  readonly entries: readonly BenchmarkEntry[];
}
