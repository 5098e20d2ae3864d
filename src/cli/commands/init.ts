import { access } from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../core/files';
import { recipePath, recipeText, type RecipeComments } from '../../core/recipeFile';
import { QuantscopeError } from '../../shared/errors';
import { BACKEND_IDS, OBSERVERS, type Recipe } from '../../shared/recipe';
import { defineCommand } from '../command';
import { preprocess, required, text } from '../options';
import { pathFrom } from '../summary';
import { facts } from '../table';
import { backend, DATA_HELP, guessFor } from './shared';

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
    const guess = values.preprocess === undefined ? guessFor(inspection.model) : undefined;
    const recipe = recipeFor(file, path.resolve(cwd, model), dataFrom(file, values.data, cwd), {
      backend: chosen,
      preprocess: values.preprocess ?? guess?.preprocess ?? {},
    });
    await writeFileAtomic(file, recipeText(recipe, commentsFor(model, guess?.why), EXAMPLES));
    const next = `quantscope run ${pathFrom(cwd, file)}`;
    return {
      json: { path: file, recipe, guessed: guess?.why ?? null },
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

function recipeFor(
  file: string,
  model: string,
  data: string,
  settings: Pick<Recipe, 'backend' | 'preprocess'>,
): Recipe {
  const { backend: chosen, preprocess: block } = settings;
  const empty = typeof block === 'object' && Object.keys(block).length === 0;
  return {
    model: relativeTo(file, model),
    backend: chosen,
    mode: 'static',
    calibration: { data, samples: 100 },
    ...(empty ? {} : { preprocess: block }),
  };
}

function commentsFor(model: string, guessed: string | undefined): RecipeComments {
  return {
    '': `How ${path.basename(model)} is quantized. Run it with \`quantscope run\`; keep it in git beside the model.`,
    backend: `Whose rules decide what runs in int8: ${BACKEND_IDS.join(', ')}.`,
    mode: 'static; dynamic: activations at run time; weight-only: smaller, not faster.',
    calibration: `Data like the model will meet; observer is one of ${OBSERVERS.join(', ')}.`,
    preprocess:
      guessed === undefined
        ? 'How an image becomes the input: value = (pixel · scale − mean) / std, pixel in 0…255.'
        : `Guessed, check it: wrong preprocessing ruins calibration and accuracy alike.\n${guessed}`,
  };
}

const EXAMPLES = `More that a recipe can say:
layers:                       # exact name beats glob beats scope: beats op:
  - select: features/0/conv
    quantize: false
    because: 9 dB
validate: { data: images/validation, labels: labels.tsv }
gates: { max-accuracy-drop: 1.0, min-output-sqnr: 20 }`;
