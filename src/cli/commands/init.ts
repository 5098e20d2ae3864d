import { access } from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../core/files';
import { recipePath } from '../../core/recipeFile';
import { QuantscopeError } from '../../shared/errors';
import { newRecipe, newRecipeText, type NewRecipe } from '../../shared/newRecipe';
import { defineCommand } from '../command';
import { preprocess, required, text } from '../options';
import { pathFrom } from '../summary';
import { facts } from '../table';
import { backend, DATA_HELP } from './shared';

export const init = defineCommand({
  name: 'init',
  summary: "Writes the model's recipe, NAME.quant.yaml, beside it.",
  usage: 'MODEL --data DIR [--preprocess P] [--backend B]',
  positional: { placeholder: 'MODEL', help: 'An ONNX model.' },
  options: { data: required(text('DIR', `Calibration data. ${DATA_HELP}`)), preprocess: preprocess(), backend },
  run: async ({ files: [model], values }, { cwd, run }) => {
    const file = recipePath(path.resolve(cwd, model));
    if (await exists(file)) {
      throw new QuantscopeError('usage', `${pathFrom(cwd, file)} exists.`, {
        hint: 'Edit it, or remove it first; `init` overwrites nothing.',
      });
    }
    const chosen = values.backend ?? 'ort-cpu';
    const inspection = await run('inspect', { model, backend: chosen, baseDir: cwd });
    const guess = values.preprocess === undefined ? inspection.guess : undefined;
    const settings: NewRecipe = {
      model: relativeTo(file, path.resolve(cwd, model)),
      backend: chosen,
      data: dataFrom(file, values.data, cwd),
      preprocess: values.preprocess ?? guess?.preprocess ?? {},
      guessed: guess?.why,
    };
    await writeFileAtomic(file, newRecipeText(settings));
    const next = `quantscope run ${pathFrom(cwd, file)}`;
    return {
      json: { path: file, recipe: newRecipe(settings), guessed: guess?.why ?? null },
      text: (style) =>
        facts(
          [
            ['recipe', pathFrom(cwd, file)],
            ['guessed', guess?.why],
            ['next', next],
          ],
          style,
        ),
    };
  },
});

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Recipes travel with their folder, so their paths are relative and have `/` on every system. */
function relativeTo(recipe: string, file: string): string {
  const relative = path.relative(path.dirname(recipe), file);
  // Another drive.
  return path.isAbsolute(relative) ? file : relative.replaceAll('\\', '/');
}

function dataFrom(recipe: string, data: string, cwd: string): string {
  return data === 'synthetic' ? data : relativeTo(recipe, path.resolve(cwd, data)) || '.';
}
