/** The recipe of a PyTorch model as one for its export to ONNX. Pure. */

import type { Recipe } from './recipe';
import { loaderOf } from './torchLoader';

export interface ConvertedRecipe {
  readonly recipe: Recipe;
  /** What could not be carried over. */
  readonly warnings: readonly string[];
}

/** Chosen for torch's layers and torch's kernels, of which ONNX has others. */
const LEFT_BEHIND = ['layers', 'activations', 'weights'] as const satisfies readonly (keyof Recipe)[];

/** @param model the exported file, as the new recipe names it; both recipes stand in one folder */
export function onnxRecipe(old: Recipe, model: string): ConvertedRecipe {
  const { preprocess, task, gates } = old;
  const calibration = calibrationOf(old);
  const validate = validationOf(old);
  const left = LEFT_BEHIND.filter((key) => old[key] !== undefined).map((key) => `\`${key}\``);
  return {
    recipe: {
      ...{ model, backend: 'ort-cpu', mode: 'static', calibration: calibration.value },
      ...(preprocess === undefined ? {} : { preprocess }),
      ...(validate.value === undefined ? {} : { validate: validate.value }),
      ...(task === undefined ? {} : { task }),
      ...(gates === undefined ? {} : { gates }),
    },
    warnings: [
      ...calibration.warnings,
      ...validate.warnings,
      ...(left.length === 0
        ? []
        : [`Not carried over to the new recipe: ${left.join(', ')}, which ONNX has its own of.`]),
    ],
  };
}

interface Part<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

/** Of synthetic data the ranges say little, but the recipe runs, and tells what is to be replaced. */
function calibrationOf({ calibration }: Recipe): Part<NonNullable<Recipe['calibration']>> {
  const loader = loaderOf(calibration?.data);
  if (calibration !== undefined && loader === undefined) return { value: calibration, warnings: [] };
  const why =
    loader === undefined
      ? 'The recipe names no calibration data'
      : `\`${loader}\` is a DataLoader, which only Python reads`;
  return {
    value: { ...calibration, data: 'synthetic' },
    warnings: [
      `${why}, so the new recipe calibrates on synthetic data: name files or a folder as \`calibration.data\`.`,
    ],
  };
}

function validationOf({ validate }: Recipe): Part<Recipe['validate']> {
  const loader = loaderOf(validate?.data);
  if (loader === undefined) return { value: validate, warnings: [] };
  return {
    value: undefined,
    warnings: [`\`${loader}\` is a DataLoader, which only Python reads, so the new recipe has no \`validate\`.`],
  };
}
