/** The jobs of the core, as the terminal and the engine start them. */

import type { OnProgress } from '../../shared/progress';
import type { Recipe } from '../../shared/recipe';
import type { FeedsCache } from '../data/feedsCache';

/** What every job may use besides its own input. */
export interface JobContext {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Lines for the log. */
  readonly log?: (line: string) => void;
  /** Threads inside one operator; the runtime's own choice where left out. */
  readonly threads?: number;
  /** Upper bound for the activations that one calibration pass holds at once, in bytes. */
  readonly memoryCapBytes?: number;
  /** What the passes of a run share of its samples. */
  readonly feedsCache?: FeedsCache;
  /** Whether code of the user may run: data modules and PyTorch models. */
  readonly trusted?: boolean;
  /** The Python program for PyTorch models whose recipe names none. */
  readonly python?: string;
}

export interface QuantizeJob {
  readonly recipe: Recipe;
  /** Folder against which the paths of the recipe are resolved. */
  readonly baseDir: string;
  /** Where the results go; by default the folder `NAME.quant` beside the model. */
  readonly outDir?: string;
}
