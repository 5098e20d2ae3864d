/** Options and steps that several commands share. */

import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { readRecipe, recipePath } from '../../core/recipeFile';
import { readReport, recipeFolder, REPORT_FILE } from '../../core/reportFile';
import { resultsFolder } from '../../core/resultsFolder';
import { QuantscopeError } from '../../shared/errors';
import type { JobOptions } from '../../shared/protocol';
import { BACKEND_IDS } from '../../shared/recipe';
import { byteSize, choice, flag, threads } from '../options';

export const backend = choice('B', BACKEND_IDS, 'Whose rules decide what runs in int8.', 'backend-unknown');

export const DATA_HELP = 'Images, .npy, .npz, .pb, .jsonl or a .js module; a folder, file or glob.';

/** How a job runs, not what it does. */
export const jobOptions = {
  threads: threads(),
  'memory-cap': byteSize('SIZE', 'Upper bound for what calibration holds at once, e.g. 512MB.'),
  trust: flag('Run the code that is named: a PyTorch model, a JavaScript module as data.'),
} as const;

export function toJobOptions(values: {
  readonly threads: number | undefined;
  readonly 'memory-cap'?: number | undefined;
  readonly trust: boolean;
}): JobOptions {
  return {
    ...(values.threads === undefined ? {} : { threads: values.threads }),
    ...(values['memory-cap'] === undefined ? {} : { memoryCapBytes: values['memory-cap'] }),
    trusted: values.trust,
  };
}

/**
 * The report, and the folder that the paths of its recipe start from.
 * @param file an absolute path: a recipe that was run, a report, or the folder that holds it
 * @throws `file-not-found`, `recipe-invalid`, `report-invalid`
 */
export async function locateReport(
  file: string,
  cwd: string,
): Promise<{ readonly report: string; readonly baseDir: string }> {
  if (/\.ya?ml$/.test(file)) {
    const { recipe } = await readRecipe(file);
    const baseDir = path.dirname(file);
    const report = path.join(resultsFolder(path.resolve(baseDir, recipe.model), recipe.framework), REPORT_FILE);
    if (await exists(report)) return { report, baseDir };
    throw new QuantscopeError('file-not-found', 'This recipe has not been run yet, so there is no report.', {
      hint: 'Run it first: `quantscope run RECIPE`.',
    });
  }
  const read = await readReport(file);
  const report = path.extname(file) === '.json' ? file : path.join(file, REPORT_FILE);
  const known = recipeFolder(report, read);
  if (known !== undefined) return { report, baseDir: known };
  // Of a former version: a run without a recipe file was started with paths as seen from the current folder.
  const recipe = recipePath(read.model.path);
  return { report, baseDir: (await exists(recipe)) ? path.dirname(recipe) : cwd };
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
