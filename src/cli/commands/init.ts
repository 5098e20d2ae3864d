import * as os from 'node:os';
import * as path from 'node:path';
import { refuseExisting, writeFileAtomic } from '../../core/files';
import { recipePath } from '../../core/recipeFile';
import { DEFAULT_SAMPLES, explainedRecipe } from '../../shared/newRecipe';
import type { Preprocess, PreprocessPreset, Recipe } from '../../shared/recipe';
import { defaultTorchBackend } from '../../shared/recipeValues';
import { defineCommand } from '../command';
import { RECIPE_OPTIONS, RECIPE_USAGE, recipeOf } from '../recipeOptions';
import { commandLine, fileArgument } from '../shell';
import { pathFrom } from '../summary';
import { facts } from '../table';

export const init = defineCommand({
  name: 'init',
  summary: "Writes the model's recipe, NAME.quant.yaml, beside it.",
  usage: RECIPE_USAGE,
  positional: { placeholder: 'MODEL', help: 'An ONNX model, or a PyTorch one, `file.py:function`.' },
  options: RECIPE_OPTIONS,
  run: async ({ files: [model], values }, { cwd, run }) => {
    const said = recipeOf(model, values);
    const file = recipePath(path.resolve(cwd, model));
    await refuseExisting(file, pathFrom(cwd, file), 'Edit it, or remove it first; `init` overwrites nothing.');
    const torch = said.framework === 'torch';
    const chosen = said.backend ?? (torch ? defaultTorchBackend(os.arch()) : 'ort-cpu');
    // Python runs only for those who trust it, and a recipe needs none.
    const inspection = torch ? undefined : await run('inspect', { model, backend: chosen, baseDir: cwd });
    const guess = said.preprocess === undefined ? inspection?.guess : undefined;
    const recipe = keptRecipe({ ...said, backend: chosen }, said.preprocess ?? guess?.preprocess ?? {}, (named) =>
      relativeTo(file, path.resolve(cwd, named)),
    );
    await writeFileAtomic(file, explainedRecipe(recipe, guess?.why));
    return {
      json: { path: file, recipe, guessed: guess?.why ?? null },
      text: (style) =>
        facts(
          [
            ['recipe', pathFrom(cwd, file)],
            ['guessed', guess?.why],
            ['next', commandLine('run', fileArgument(pathFrom(cwd, file)), ...(torch ? ['--trust'] : []))],
          ],
          style,
        ),
    };
  },
});

/** A recipe of the terminal as its file has it: with the defaults that one wants to see, and paths from its folder. */
function keptRecipe(said: Recipe, preprocess: Preprocess | PreprocessPreset, from: (named: string) => string): Recipe {
  const { framework, model, torch, backend, mode = 'static', format, calibration, layers, validate, task } = said;
  const dataFrom = (data: string | string[]): string | string[] =>
    typeof data === 'string' ? sourceFrom(data, from) : data.map((each) => sourceFrom(each, from));
  const nothing = typeof preprocess === 'object' && Object.keys(preprocess).length === 0;
  return {
    ...(framework === undefined ? {} : { framework }),
    model: from(model),
    ...(torch?.weights === undefined ? {} : { torch: { weights: from(torch.weights) } }),
    ...{ backend, mode },
    ...(format === undefined ? {} : { format }),
    ...(calibration === undefined
      ? {}
      : {
          calibration: {
            ...calibration,
            data: dataFrom(calibration.data),
            samples: calibration.samples ?? DEFAULT_SAMPLES,
          },
        }),
    ...(nothing ? {} : { preprocess }),
    ...(layers === undefined ? {} : { layers }),
    ...(validate === undefined
      ? {}
      : {
          validate: {
            data: dataFrom(validate.data),
            ...(validate.labels === undefined ? {} : { labels: from(validate.labels) }),
          },
        }),
    ...(task === undefined ? {} : { task }),
  };
}

/** Recipes travel with their folder, so their paths are relative and have `/` on every system. */
function relativeTo(recipe: string, file: string): string {
  const relative = path.relative(path.dirname(recipe), file);
  // Another drive. Elsewhere than on Windows a backslash is a letter, and escapes one in a glob.
  return path.isAbsolute(relative) ? file : relative.replaceAll(path.sep, '/');
}

/** A folder of the name of the keyword stays a folder. */
function sourceFrom(data: string, from: (named: string) => string): string {
  if (data === 'synthetic') return data;
  const relative = from(data);
  return relative === '' ? '.' : relative === 'synthetic' ? './synthetic' : relative;
}
