/** The first recipe of a model, as `quantscope init` and the editor's wizard write it: with comments that teach it. */

import type { PreprocessGuess } from './inspection';
import {
  BACKEND_IDS,
  OBSERVERS,
  TORCH_BACKENDS,
  type BackendId,
  type Preprocess,
  type PreprocessPreset,
  type Recipe,
  type TorchMode,
} from './recipe';
import { recipeText, type RecipeComments } from './recipeDocument';

export const DEFAULT_SAMPLES = 100;

/** Paths are relative to the recipe, with `/` on every system, since recipes travel with their folder. */
export interface NewRecipe {
  readonly model: string;
  readonly backend: BackendId;
  /** Calibration data, or `synthetic`. */
  readonly data: string;
  readonly preprocess: Preprocess | PreprocessPreset;
  /** Where the preprocessing is a guess, the sentence that explains it. */
  readonly guessed: PreprocessGuess['why'] | undefined;
  readonly validate?: Recipe['validate'];
  /** Of a PyTorch model, which `model` names as recipes do. */
  readonly torch?: { readonly mode: TorchMode; readonly weights: string | undefined };
}

export function newRecipe(settings: NewRecipe): Recipe {
  const { model, backend, data, preprocess, validate, torch } = settings;
  const nothing = typeof preprocess === 'object' && Object.keys(preprocess).length === 0;
  return {
    ...(torch === undefined ? { model } : { framework: 'torch', model }),
    ...(torch?.weights === undefined ? {} : { torch: { weights: torch.weights } }),
    backend,
    mode: torch?.mode ?? 'static',
    calibration: { data, samples: DEFAULT_SAMPLES },
    ...(nothing ? {} : { preprocess }),
    ...(validate === undefined ? {} : { validate }),
  };
}

/** The same as YAML. */
export function newRecipeText(settings: NewRecipe): string {
  return explainedRecipe(newRecipe(settings), settings.guessed);
}

/** Any recipe as YAML that teaches. @param guessed as in {@link NewRecipe} */
export function explainedRecipe(recipe: Recipe, guessed: NewRecipe['guessed']): string {
  const examples = EXAMPLES.filter(({ key }) => recipe[key] === undefined);
  const after = ['More that a recipe can say:', ...examples.map(({ text }) => text)].join('\n');
  return recipeText(recipe, commentsFor(recipe, guessed), after);
}

function commentsFor({ model, framework }: Recipe, guessed: NewRecipe['guessed']): RecipeComments {
  const name = model.slice(model.lastIndexOf('/') + 1);
  return {
    '': `How ${name} is quantized. Run it with \`quantscope run\`; keep it in git beside the model.`,
    ...(framework !== 'torch'
      ? {
          backend: `Whose rules decide what runs in int8: ${BACKEND_IDS.join(', ')}.`,
          mode: 'static; dynamic: activations at run time; weight-only: smaller, not faster.',
        }
      : {
          torch: 'Beside the weights: python, inputs, engine, leaves, train.',
          backend: `The qconfig, and the kernels that run it: ${TORCH_BACKENDS.join(', ')}.`,
          mode: "static is FX graph mode; eager: the model's own stubs; dynamic: activations at run time; qat: trained.",
        }),
    calibration: `Data like the model will meet; observer is one of ${OBSERVERS.join(', ')}.`,
    preprocess:
      guessed === undefined
        ? 'How an image becomes the input: value = (pixel · scale − mean) / std, pixel in 0…255.'
        : `Guessed, check it: wrong preprocessing ruins calibration and accuracy alike.\n${guessed}`,
    validate: 'What errors and accuracy are measured on: other samples than those of the calibration.',
  };
}

const EXAMPLES = [
  {
    key: 'layers',
    text: `layers:                       # exact name beats glob beats scope: beats op:
  - select: features/0/conv
    quantize: false
    because: 9 dB`,
  },
  { key: 'validate', text: 'validate: { data: images/validation, labels: labels.tsv }' },
  { key: 'gates', text: 'gates: { max-accuracy-drop: 1.0, min-output-sqnr: 20 }' },
] as const;
