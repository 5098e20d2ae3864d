import * as path from 'node:path';
import { resultsFolder } from '../../core/resultsFolder';
import { defineCommand } from '../command';
import { text } from '../options';
import { RECIPE_OPTIONS, RECIPE_USAGE, recipeArguments, recipeOf } from '../recipeOptions';
import { commandLine, fileArgument } from '../shell';
import { jobOptions, toJobOptions } from './shared';
import { pricesOption, quantizeAndCheck } from './run';

export const quantize = defineCommand({
  name: 'quantize',
  summary: 'Quantizes a model on data and reports every layer.',
  usage: `${RECIPE_USAGE} [--out DIR] [--prices] [--json]`,
  positional: {
    placeholder: 'MODEL',
    help: 'An ONNX model, or with --trust a PyTorch one, `file.py:function`; it is never changed.',
  },
  options: {
    ...RECIPE_OPTIONS,
    out: text('DIR', 'Where the results go. Default: NAME.quant beside the model.'),
    ...pricesOption,
    ...jobOptions,
  },
  run: async ({ files: [model], values }, services) => {
    const { cwd } = services;
    const recipe = recipeOf(model, values);
    const guess =
      recipe.preprocess === undefined && recipe.framework !== 'torch'
        ? (await services.run('inspect', { model, baseDir: cwd })).guess
        : undefined;
    return quantizeAndCheck(
      {
        recipe: guess === undefined ? recipe : { ...recipe, preprocess: guess.preprocess },
        baseDir: cwd,
        outDir: path.resolve(cwd, values.out ?? resultsFolder(model, recipe.framework)),
      },
      {
        options: toJobOptions(values),
        prices: values.prices,
        guessed: guess?.why,
        save: commandLine('init', fileArgument(model), ...recipeArguments(values)),
      },
      services,
    );
  },
});
