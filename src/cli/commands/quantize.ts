import * as path from 'node:path';
import { resultsFolder } from '../../core/resultsFolder';
import { QuantscopeError } from '../../shared/errors';
import { FORMATS, MODES, OBSERVERS, type Recipe } from '../../shared/recipe';
import { defineCommand } from '../command';
import { printable } from '../../shared/format';
import { choice, list, preprocess, required, text, wholeNumber } from '../options';
import { backend, DATA_HELP, jobOptions, toJobOptions } from './shared';
import { quantizeAndCheck } from './run';

export const quantize = defineCommand({
  name: 'quantize',
  summary: 'Quantizes a model on data and reports every layer.',
  usage: `MODEL --data DIR [--preprocess P] [--backend B] [--observer O] [--samples N]
                    [--exclude SELECTOR]… [--mode M] [--format F]
                    [--validate DIR --labels TSV] [--out DIR] [--json]`,
  positional: { placeholder: 'MODEL', help: 'An ONNX model; it is never changed.' },
  options: {
    data: required(text('DIR', `Calibration data, or "synthetic" as a last resort. ${DATA_HELP}`)),
    preprocess: preprocess(),
    backend,
    observer: choice('O', OBSERVERS, 'What turns measured values into a range.'),
    samples: wholeNumber('N', 1, 'Calibration samples, evenly spread over the data. Default 100.'),
    exclude: list('SELECTOR', 'Layer to keep in float: a name, a glob, scope:path or op:Type.'),
    mode: choice('M', MODES, 'When activations become int8.'),
    format: choice('F', FORMATS, 'Form of the quantized model.'),
    validate: text('DIR', 'Data on which fp32 and int8 are compared.'),
    labels: text('TSV', 'Classes of that data, one `file<TAB>class index` per line.'),
    out: text('DIR', 'Where the results go. Default: NAME.quant beside the model.'),
    ...jobOptions,
  },
  run: async ({ files: [model], values }, services) => {
    const { cwd } = services;
    if (values.labels !== undefined && values.validate === undefined) {
      throw new QuantscopeError('usage', '--labels needs --validate DIR, the data that they label.');
    }
    const guess =
      values.preprocess === undefined ? (await services.run('inspect', { model, baseDir: cwd })).guess : undefined;
    const recipe = recipeOf(model, { ...values, preprocess: values.preprocess ?? guess?.preprocess });
    const save = `quantscope init ${printable(model)} --data ${printable(values.data)}`;
    return quantizeAndCheck(
      { recipe, baseDir: cwd, outDir: path.resolve(cwd, values.out ?? resultsFolder(model)) },
      { options: toJobOptions(values), guessed: guess?.why, save },
      services,
    );
  },
});

interface Settings {
  readonly data: string;
  readonly preprocess: Recipe['preprocess'];
  readonly backend: Recipe['backend'];
  readonly observer: NonNullable<Recipe['calibration']>['observer'];
  readonly samples: number | undefined;
  readonly exclude: readonly string[];
  readonly mode: Recipe['mode'];
  readonly format: Recipe['format'];
  readonly validate: string | undefined;
  readonly labels: string | undefined;
}

/** The recipe that says what the flags say; what is not given is left to the defaults. */
function recipeOf(model: string, settings: Settings): Recipe {
  const { backend: chosen, mode, format, preprocess: block, observer, samples, exclude, validate, labels } = settings;
  return {
    model,
    ...(chosen === undefined ? {} : { backend: chosen }),
    ...(mode === undefined ? {} : { mode }),
    ...(format === undefined ? {} : { format }),
    calibration: {
      data: settings.data,
      ...(samples === undefined ? {} : { samples }),
      ...(observer === undefined ? {} : { observer }),
    },
    ...(block === undefined ? {} : { preprocess: block }),
    ...(exclude.length === 0 ? {} : { layers: exclude.map((select) => ({ select, quantize: false })) }),
    ...(validate === undefined ? {} : { validate: { data: validate, ...(labels === undefined ? {} : { labels }) } }),
  };
}
