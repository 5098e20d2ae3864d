import * as path from 'node:path';
import { readRecipe } from '../../core/recipeFile';
import { resultsFolder } from '../../core/resultsFolder';
import { EXIT } from '../../shared/errors';
import { checkGates } from '../../shared/gates';
import type { JobOptions, QuantizeInput } from '../../shared/protocol';
import { defineCommand, type Output, type Services } from '../command';
import { reportText, warningLines } from '../summary';
import { jobOptions, toJobOptions } from './shared';

export const run = defineCommand({
  name: 'run',
  summary: 'Quantizes as a recipe says and holds its gates against the result.',
  usage: 'RECIPE [--json]',
  positional: { placeholder: 'RECIPE', help: 'A NAME.quant.yaml.' },
  options: jobOptions,
  run: async ({ files: [file], values }, services) => {
    const location = path.resolve(services.cwd, file);
    const { recipe } = await readRecipe(location);
    const baseDir = path.dirname(location);
    return quantizeAndCheck(
      { recipe, baseDir, outDir: resultsFolder(path.resolve(baseDir, recipe.model), recipe.framework) },
      { options: toJobOptions(values) },
      services,
    );
  },
});

interface Presentation {
  readonly options: JobOptions;
  /** How the preprocessing was guessed, where it was. */
  readonly guessed?: string | undefined;
  /** The command that saves these settings, where they are not saved yet. */
  readonly save?: string;
}

/** The report, with the outcome of its gates beside its own fields; exit status 1 where one failed. */
export async function quantizeAndCheck(
  input: QuantizeInput & { readonly outDir: string },
  { options, guessed, save }: Presentation,
  { cwd, run: start }: Services,
): Promise<Output> {
  const report = await start('quantize', input, options);
  const gates = checkGates(report);
  return {
    json: { ...report, gates },
    text: (style) =>
      [
        ...(guessed === undefined ? [] : [warningLines([`The preprocessing is guessed. ${guessed}`], style)]),
        reportText(report, { outDir: input.outDir, cwd, save }, style),
      ].join('\n\n'),
    exit: gates.every(({ passed }) => passed) ? EXIT.ok : EXIT.gateFailed,
  };
}
