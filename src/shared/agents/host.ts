/** What the tools for agents need of where they run, which is a terminal or an editor. */

import type { Findings } from '../findings';
import type { JobName, Jobs } from '../protocol';
import type { Recipe } from '../recipe';
import type { Report } from '../report';

export interface FoundReport {
  readonly report: Report;
  /** Path of `report.json`. */
  readonly file: string;
  /** Folder that the paths of its recipe start from. */
  readonly baseDir: string;
  /** `undefined` where it was not found out of this run. */
  readonly finding: <K extends keyof Findings>(kind: K) => Promise<Findings[K] | undefined>;
}

export interface FoundRecipe {
  /** Its path. */
  readonly file: string;
  readonly recipe: Recipe;
  readonly text: string;
  readonly baseDir: string;
  /** Folder of the results. */
  readonly outDir: string;
}

/** Paths are as the agent gives them. Every method throws QuantscopeError. */
export interface AgentHost {
  /** @param place a recipe that was run, a report, or the folder that holds it */
  report(place: string): Promise<FoundReport>;
  recipe(place: string): Promise<FoundRecipe>;
  /** Takes the place of the recipe's text. */
  write(recipe: FoundRecipe, text: string): Promise<void>;
  absolute(file: string): string;
  /** @param about the file that a person knows the job by */
  run<N extends JobName>(name: N, input: Jobs[N]['input'], about: string): Promise<Jobs[N]['output']>;
}
