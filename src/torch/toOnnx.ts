/** A PyTorch model moved to ONNX: its fp32 form as a file, with the recipe that quantizes it there. */

import * as path from 'node:path';
import { ErrorAccumulator, SQNR_FLOOR } from '../core/analyze/errors';
import type { Dataset } from '../core/data/types';
import { refuseExisting, replaceFiles } from '../core/files';
import type { JobContext } from '../core/pipeline/types';
import { recipePath } from '../core/recipeFile';
import { modelName } from '../core/resultsFolder';
import { openSession } from '../core/runtime/session';
import { toFloat32 } from '../core/tensor';
import { QuantscopeError, throwIfCancelled } from '../shared/errors';
import { bytes, decibels } from '../shared/format';
import { explainedRecipe } from '../shared/newRecipe';
import type { OnnxExport, OnnxExportInput } from '../shared/onnxExport';
import { onnxRecipe } from '../shared/onnxRecipe';
import type { Recipe } from '../shared/recipe';
import { openData, firstOf } from './data';
import { installCommand, openWorker } from './environment';
import { askToLoad } from './prepare';
import { floatExportedSchema, type Check, type FloatExported } from './protocol';
import { outputsOf, VERIFIED_SAMPLES } from './verify';
import type { TorchWorker } from './worker';
import { comparedOf } from '../shared/measured';

/** Rounding alone leaves more than 100 dB. */
const AGREEMENT = 60;
/** Protobuf holds no more; beyond it torch spreads the weights over many files beside the model. */
const MOST_BYTES = 2 ** 31;

/**
 * Writes `NAME.fp32.onnx` and its recipe into the folder of the recipe, both or none.
 * @throws `usage` for a model that is none of PyTorch's, and where either file exists; `torch-untrusted` before any
 *   Python is started; `torch-failed` with what hindered the export
 */
export async function exportOnnx(job: OnnxExportInput, context: JobContext = {}): Promise<OnnxExport> {
  const { recipe, baseDir } = job;
  if (recipe.framework !== 'torch') {
    throw new QuantscopeError('usage', `${recipe.model} is an ONNX model already.`, { hint: 'Quantize it as it is.' });
  }
  const model = path.resolve(baseDir, `${modelName(recipe.model)}.fp32.onnx`);
  const target: Target = { model, recipe: recipePath(model) };
  for (const file of [target.model, target.recipe]) {
    await refuseExisting(file, path.basename(file), 'Move it away or remove it first; an export overwrites nothing.');
  }
  const { worker, check } = await openWorker(recipe.torch?.python, baseDir, context);
  try {
    return await write(worker, check, job, target, context);
  } finally {
    await worker.close();
  }
}

type Target = Pick<OnnxExport, 'model' | 'recipe'>;

async function write(
  worker: TorchWorker,
  check: Check,
  { recipe, baseDir }: OnnxExportInput,
  target: Target,
  context: JobContext,
): Promise<OnnxExport> {
  const { signal, onProgress } = context;
  onProgress?.({ stage: 'read', done: 0, total: 1 });
  const loaded = await askToLoad(worker, recipe, baseDir, null, context.threads);
  if (loaded.bytes >= MOST_BYTES) {
    throw new QuantscopeError(
      'model-too-large',
      `The model takes ${bytes(loaded.bytes)}, too much for one ONNX file.`,
      {
        hint: 'Export it by `torch.onnx.export` with external data, and quantize that.',
      },
    );
  }
  const job = { recipe: withFewSamples(recipe), baseDir };
  const { calibration } = await openData(job, loaded, worker, context);
  const converted = onnxRecipe(recipe, path.basename(target.model));
  return replaceFiles(async (files) => {
    onProgress?.({ stage: 'convert', done: 0, total: 1 });
    const written = files.reserve(target.model);
    const params = { path: written };
    const samples = firstOf(calibration, 1, signal);
    const exported = await worker.ask(floatExportedSchema, { method: 'export_float', params, samples });
    if (exported.problem !== null) throw hindrance(exported, exported.problem, check);
    onProgress?.({ stage: 'verify', done: 0, total: 1 });
    const agreement = await agreementOf(worker, written, calibration, context);
    throwIfCancelled(signal);
    await files.write(target.recipe, explainedRecipe(converted.recipe, undefined));
    const warnings = [...fixedWarnings(exported), ...agreementWarnings(agreement), ...converted.warnings];
    return { ...target, ...agreement, warnings };
  });
}

/** Random samples where the recipe names none, as for a look at the model. */
function withFewSamples(recipe: Recipe): Recipe {
  const { data, ...rest } = recipe.calibration ?? { data: 'synthetic' };
  const few: Recipe = { ...recipe, calibration: { ...rest, data, samples: VERIFIED_SAMPLES } };
  delete few.validate;
  return few;
}

function hindrance({ missing }: FloatExported, problem: string, { executable }: Check): QuantscopeError {
  if (missing === null) {
    return new QuantscopeError('torch-failed', `The model could not be written as ONNX: ${problem}`, {
      hint: 'The message has what torch.onnx.export raised; the log has the rest.',
    });
  }
  const lacks = `torch's exporter to ONNX needs the package ${missing}, which ${executable} does not have.`;
  return new QuantscopeError('torch-missing', lacks, {
    hint: `Install it with \`${installCommand(executable, missing)}\`.`,
  });
}

type Agreement = Pick<OnnxExport, 'sqnr' | 'samples'>;

/** @throws `runtime-rejected` and its like where onnxruntime does not take the model */
async function agreementOf(
  worker: TorchWorker,
  file: string,
  dataset: Dataset,
  context: JobContext,
): Promise<Agreement> {
  const expected = await outputsOf(worker, 'loaded', dataset, context);
  const { threads, signal } = context;
  const session = await openSession(file, threads === undefined ? {} : { threads });
  try {
    const errors = new ErrorAccumulator();
    let samples = 0;
    for await (const { id, feeds } of firstOf(dataset, VERIFIED_SAMPLES, signal)) {
      const output = expected.get(id);
      if (output === undefined || output === null) continue;
      const known = session.inputs.flatMap(({ name }) => {
        const feed = feeds[name];
        return feed === undefined ? [] : [[name, feed] as const];
      });
      const [first] = Object.values(await session.run(Object.fromEntries(known)));
      const found = first === undefined ? new Float32Array() : toFloat32(first);
      // What branches on its data may give another shape for every sample.
      if (found.length !== output.values.length) return { sqnr: SQNR_FLOOR, samples: expected.size };
      errors.add(
        id,
        Float32Array.from(output.values, (value) => value ?? NaN),
        found,
      );
      samples += 1;
    }
    const error = comparedOf(errors.result());
    return error === null ? { sqnr: null, samples: 0 } : { sqnr: error.sqnr, samples };
  } finally {
    await session.close();
  }
}

function agreementWarnings({ sqnr, samples }: Agreement): string[] {
  if (samples === 0)
    return ['The model gives no tensor with finite values, so whether the exported one agrees was not measured.'];
  if (sqnr === null || sqnr >= AGREEMENT) return [];
  return [
    `The exported model agrees with PyTorch by ${decibels(sqnr)} alone, where rounding leaves more than 100 dB: it computes something else.`,
  ];
}

/** What torch's tracer warns of, once for each kind. */
function fixedWarnings({ fixed }: FloatExported): string[] {
  const places = (kind: 'branch' | 'value'): string => {
    const lines = fixed.filter((one) => one.kind === kind).map(({ file, line }) => `${path.basename(file)}:${line}`);
    return lines.length <= MOST_PLACES
      ? lines.join(', ')
      : `${lines.slice(0, MOST_PLACES).join(', ')} and ${lines.length - MOST_PLACES} more lines`;
  };
  const [branches, values] = [places('branch'), places('value')];
  return [
    ...(branches === ''
      ? []
      : [
          `The model branches on its data, or on their shape (${branches}): the exported one always takes the way of the first sample.`,
        ]),
    ...(values === ''
      ? []
      : [
          `The model takes values out of its tensors (${values}): the exported one always has those of the first sample.`,
        ]),
  ];
}

const MOST_PLACES = 5;
