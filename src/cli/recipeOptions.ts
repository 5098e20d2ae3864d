/**
 * The options that say what a recipe says, as `quantize` takes them for one run and `init` to keep them: read into
 * a recipe, and written as arguments again.
 */

import { stringify } from 'yaml';
import { QuantscopeError } from '../shared/errors';
import { ALL_MODES, FORMATS, OBSERVERS, TASKS, type Recipe } from '../shared/recipe';
import { frameworkOf } from '../shared/resultsSuffix';
import { choice, list, preprocess, text, wholeNumber, type Values } from './options';
import { backend, DATA_HELP } from './commands/shared';

export const RECIPE_OPTIONS = {
  data: list('DIR', `Calibration data, or "synthetic" as a last resort. ${DATA_HELP}`),
  preprocess: preprocess(),
  backend,
  observer: choice('O', OBSERVERS, 'What turns measured values into a range.'),
  samples: wholeNumber('N', 1, 'Calibration samples, evenly spread over the data. Default 100.'),
  exclude: list('SELECTOR', 'Layer to keep in float: a name, a glob, scope:path, op:Type or regex:part.'),
  mode: choice('M', ALL_MODES, 'When activations become int8; only weight-only needs no data.'),
  format: choice('F', FORMATS, 'Form of the quantized model.'),
  validate: list('DIR', 'Data on which fp32 and int8 are compared.'),
  labels: text('TSV', 'Classes of that data, one `file<TAB>class index` per line.'),
  task: choice('T', TASKS, 'What the model does, where neither labels nor a Softmax tell.'),
  weights: text('FILE', 'Of a PyTorch model that a function builds: its state_dict.'),
} as const;

export const RECIPE_USAGE = `MODEL --data DIR… [--preprocess P] [--backend B] [--observer O] [--samples N]
                    [--exclude SELECTOR]… [--mode M] [--format F]
                    [--validate DIR… --labels TSV] [--task T] [--weights FILE]`;

export type RecipeValues = Values<typeof RECIPE_OPTIONS>;

/**
 * The recipe that says what the options say; what is not given is left to the defaults.
 * @throws `usage` for options that need another one
 */
export function recipeOf(model: string, values: RecipeValues): Recipe {
  const {
    backend: target,
    mode,
    format,
    preprocess: block,
    observer,
    samples,
    exclude,
    labels,
    task,
    weights,
  } = values;
  const data = sources(values.data);
  const validate = sources(values.validate);
  if (labels !== undefined && validate === undefined) {
    throw new QuantscopeError('usage', '--labels needs --validate DIR, the data that they label.');
  }
  if (data === undefined) {
    if (mode !== 'weight-only') throw new QuantscopeError('usage', '--data DIR is missing.');
    const useless = samples !== undefined ? '--samples' : observer !== undefined ? '--observer' : undefined;
    if (useless !== undefined) throw new QuantscopeError('usage', `${useless} needs --data DIR.`);
  }
  const framework = frameworkOf(model);
  if (weights !== undefined && framework === 'onnx') {
    throw new QuantscopeError('usage', '--weights belongs to a PyTorch model, `file.py:function`.');
  }
  return {
    ...(framework === 'onnx' ? {} : { framework }),
    model,
    ...(weights === undefined ? {} : { torch: { weights } }),
    ...(target === undefined ? {} : { backend: target }),
    ...(mode === undefined ? {} : { mode }),
    ...(format === undefined ? {} : { format }),
    ...(data === undefined
      ? {}
      : {
          calibration: {
            data,
            ...(samples === undefined ? {} : { samples }),
            ...(observer === undefined ? {} : { observer }),
          },
        }),
    ...(block === undefined ? {} : { preprocess: block }),
    ...(exclude.length === 0 ? {} : { layers: exclude.map((select) => ({ select, quantize: false })) }),
    ...(validate === undefined ? {} : { validate: { data: validate, ...(labels === undefined ? {} : { labels }) } }),
    ...(task === undefined ? {} : { task }),
  };
}

/** One source is written as one, as recipes do. */
function sources(given: readonly string[]): string | string[] | undefined {
  const [first, ...more] = given;
  return first === undefined || more.length === 0 ? first : [first, ...more];
}

/** The same options as arguments. */
export function recipeArguments(values: RecipeValues): readonly string[] {
  return Object.keys(RECIPE_OPTIONS).flatMap((name) => {
    const value = values[name as keyof RecipeValues];
    const given = value === undefined ? [] : isList(value) ? value : [argument(value)];
    return given.flatMap((each) => (each.startsWith('-') ? [`--${name}=${each}`] : [`--${name}`, each]));
  });
}

function isList(value: string | number | object): value is readonly string[] {
  return Array.isArray(value);
}

/** A block on one line: YAML has fewer quotes than JSON, which not every shell lets pass. */
function argument(value: string | number | object): string {
  return typeof value === 'object' ? stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd() : `${value}`;
}
