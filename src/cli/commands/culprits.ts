import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { readRecipe, recipePath } from '../../core/recipeFile';
import { readReport, REPORT_FILE, resultFolder } from '../../core/reportFile';
import { QuantscopeError } from '../../shared/errors';
import type { Culprits } from '../../shared/verdicts';
import { defineCommand } from '../command';
import { culpritsText } from '../culprits';
import { wholeNumber } from '../options';
import { defaultOutDir, pathFrom } from '../summary';
import { jobOptions, toJobOptions } from './shared';

export const culprits = defineCommand({
  name: 'culprits',
  summary: 'Where the error of a quantized model comes from, and why.',
  usage: 'RECIPE|REPORT [--samples N] [--json]',
  positional: {
    placeholder: 'RECIPE|REPORT',
    help: 'A NAME.quant.yaml that was run, or a report.json or the folder that holds it.',
  },
  options: { samples: wholeNumber('N', 1, 'Samples that every layer is tried on. Default 16.'), ...jobOptions },
  run: async ({ files: [file], values }, { cwd, run }) => {
    const { samples } = values;
    const place = await locate(path.resolve(cwd, file), cwd);
    const found: Culprits = await run(
      'culprits',
      { ...place, ...(samples === undefined ? {} : { samples }) },
      toJobOptions(values),
    );
    const folder = pathFrom(cwd, resultFolder(place.report));
    return { json: found, text: (style) => culpritsText(found, folder, style) };
  },
});

/** The report, and the folder that the paths of its recipe start from. */
async function locate(file: string, cwd: string): Promise<{ readonly report: string; readonly baseDir: string }> {
  if (/\.ya?ml$/.test(file)) {
    const { recipe } = await readRecipe(file);
    const baseDir = path.dirname(file);
    const report = path.join(defaultOutDir(path.resolve(baseDir, recipe.model)), REPORT_FILE);
    if (await exists(report)) return { report, baseDir };
    throw new QuantscopeError('file-not-found', 'This recipe has not been run yet, so there is no report.', {
      hint: 'Run it first: `quantscope run RECIPE`.',
    });
  }
  const { model } = await readReport(file);
  const report = path.extname(file) === '.json' ? file : path.join(file, REPORT_FILE);
  // A run without a recipe file was started with paths as seen from the current folder.
  const recipe = recipePath(model.path);
  return { report, baseDir: (await exists(recipe)) ? path.dirname(recipe) : cwd };
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
