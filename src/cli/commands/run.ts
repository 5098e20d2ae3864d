import * as path from 'node:path';
import { readRecipe } from '../../core/recipeFile';
import { resultsFolder } from '../../core/resultsFolder';
import { EXIT, QuantscopeError } from '../../shared/errors';
import { checkGates } from '../../shared/gates';
import { PRICES_SECONDS } from '../../shared/price';
import type { JobOptions, QuantizeInput } from '../../shared/protocol';
import { defineCommand, type Output, type Services } from '../command';
import { flag } from '../options';
import { pricesText } from '../prices';
import { reportPath, reportText, warningLines } from '../summary';
import { jobOptions, toJobOptions } from './shared';

/** Of commands that quantize. */
export const pricesOption = {
  prices: flag('Also try the fixes that suggest themselves: what each brings and costs.'),
} as const;

export const run = defineCommand({
  name: 'run',
  summary: 'Quantizes as a recipe says and holds its gates against the result.',
  usage: 'RECIPE [--prices] [--json]',
  positional: { placeholder: 'RECIPE', help: 'A NAME.quant.yaml.' },
  options: { ...pricesOption, ...jobOptions },
  run: async ({ files: [file], values }, services) => {
    const location = path.resolve(services.cwd, file);
    const { recipe } = await readRecipe(location);
    const baseDir = path.dirname(location);
    return quantizeAndCheck(
      { recipe, baseDir, outDir: resultsFolder(path.resolve(baseDir, recipe.model), recipe.framework) },
      { options: toJobOptions(values), prices: values.prices },
      services,
    );
  },
});

interface Presentation {
  readonly options: JobOptions;
  /** Whether to try the fixes as well. */
  readonly prices: boolean;
  /** How the preprocessing was guessed, where it was. */
  readonly guessed?: string | undefined;
  /** The command that saves these settings, where they are not saved yet. */
  readonly save?: string;
}

/**
 * The report, with the outcome of its gates beside its own fields; exit status 1 where one failed.
 * @throws `usage` for prices of a PyTorch model
 */
export async function quantizeAndCheck(
  input: QuantizeInput & { readonly outDir: string },
  { options, prices: wanted, guessed, save }: Presentation,
  { cwd, run: start }: Services,
): Promise<Output> {
  if (wanted && input.recipe.framework === 'torch') {
    throw new QuantscopeError('usage', 'Fixes are tried on ONNX models alone; this recipe is for PyTorch.', {
      hint: 'Leave out --prices.',
    });
  }
  const report = await start('quantize', input, options);
  const gates = checkGates(report);
  const { outDir, baseDir } = input;
  const prices = wanted
    ? await start('prices', { report: reportPath(outDir), baseDir, seconds: PRICES_SECONDS }, options)
    : undefined;
  return {
    json: { ...report, gates, ...(prices === undefined ? {} : { prices }) },
    text: (style) =>
      [
        ...(guessed === undefined ? [] : [warningLines([`The preprocessing is guessed. ${guessed}`], style)]),
        reportText(report, { outDir, cwd, save }, style),
        ...(prices === undefined
          ? []
          : [`${style.bold('What fixes bring and cost')}\n${pricesText(prices, report.mode, style)}`]),
      ].join('\n\n'),
    exit: gates.every(({ passed }) => passed) ? EXIT.ok : EXIT.gateFailed,
  };
}
