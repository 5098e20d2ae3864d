/** A look at a PyTorch model: what it takes, and which layers run in int8 once converted. Needs no data of the user's. */

import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { guessForInputs } from '../core/data/preprocess';
import type { JobContext } from '../core/pipeline/types';
import { QuantscopeError } from '../shared/errors';
import type { InspectedLayer, Inspection, TensorShape } from '../shared/inspection';
import type { InspectInput } from '../shared/protocol';
import { REASONS, type ReasonCode } from '../shared/reasons';
import type { Recipe } from '../shared/recipe';
import { openData } from './data';
import { openWorker } from './environment';
import { askToLoad, prepareModel } from './prepare';
import {
  analyzedSchema,
  calibratedSchema,
  convertedSchema,
  type Analyzed,
  type Check,
  type Loaded,
  type PreparedModel,
  type WorkerLayer,
} from './protocol';
import { sourceLines } from './report';
import { engineToUse, settingsFor, settingsOf, settingsWarnings, type Settings } from './settings';
import type { TorchWorker } from './worker';

/**
 * What `convert_fx` and the kernels make of a layer shows only when it has run, so the model is converted on one sample
 * of the recipe, else on random numbers. With `shallow` it is only loaded.
 * @throws `torch-untrusted` before any Python is started; `usage` without a recipe of PyTorch
 */
export async function inspectTorch(input: InspectInput, context: JobContext = {}): Promise<Inspection> {
  if (input.recipe?.framework !== 'torch') {
    throw new QuantscopeError('usage', 'A PyTorch model is inspected by its recipe, which says how it is built.');
  }
  const { baseDir, backend } = input;
  const recipe: Recipe = { ...input.recipe, model: input.model, ...(backend === undefined ? {} : { backend }) };
  const asked = settingsOf(recipe);
  const { worker, check } = await openWorker(recipe.torch?.python, baseDir, context);
  try {
    const shallow = input.shallow === true;
    const settings = shallow ? asked : settingsFor(asked, check);
    const loaded = await askToLoad(worker, recipe, baseDir, shallow ? null : engineToUse(settings), context.threads);
    const found = shallow ? undefined : await convertOnce(worker, recipe, baseDir, settings, loaded, context);
    return inspectionOf(settings, check, loaded, found);
  } finally {
    await worker.close();
  }
}

interface Converted {
  readonly prepared: PreparedModel;
  readonly analyzed: Analyzed;
}

async function convertOnce(
  worker: TorchWorker,
  recipe: Recipe,
  baseDir: string,
  settings: Settings,
  loaded: Loaded,
  context: JobContext,
): Promise<Converted> {
  const { signal } = context;
  const { data, ...observers } = recipe.calibration ?? { data: 'synthetic' };
  const one: Recipe = { ...recipe, calibration: { ...observers, data, samples: 1 } };
  delete one.validate;
  const { calibration } = await openData({ recipe: one, baseDir }, loaded, worker, context);
  const { prepared } = await prepareModel(worker, recipe, settings, calibration, signal);
  if (settings.mode !== 'dynamic') {
    const samples = calibration.samples(signal);
    await worker.ask(calibratedSchema, { method: 'calibrate', params: { total: 1 }, samples });
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-inspect-'));
  try {
    await worker.ask(convertedSchema, { method: 'convert', params: { path: path.join(folder, 'int8.pt') } });
    const samples = calibration.samples(signal);
    const analyzed = await worker.ask(analyzedSchema, { method: 'analyze', params: { total: 1 }, samples });
    return { prepared, analyzed };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inspectionOf(settings: Settings, check: Check, loaded: Loaded, found: Converted | undefined): Inspection {
  const layers = (found?.analyzed.layers ?? []).map(inspectedLayer);
  const quantize = layers.filter(({ decision }) => decision === 'quantize').length;
  return {
    model: {
      path: loaded.files[0] ?? '',
      sha256: '',
      bytes: loaded.bytes,
      opset: 0,
      producer: `torch ${check.torch ?? ''}`.trim(),
      inputs: loaded.inputs,
      outputs: (found?.prepared.outputs ?? []).map(({ type, shape }, index) => {
        return { name: index === 0 ? 'output' : `output${index}`, type, shape };
      }),
    },
    backend: settings.backend,
    guess: guessForInputs(loaded.inputs),
    machine: {
      cpu: os.cpus()[0]?.model ?? os.arch(),
      isa: os.arch(),
      saturates: loaded.saturates[settings.engine] === true,
      engines: check.engines,
    },
    layers,
    counts: { quantize, float: layers.length - quantize },
    normalization: [],
    warnings: settingsWarnings(settings),
  };
}

function inspectedLayer(layer: WorkerLayer): InspectedLayer {
  const { name, op, fused, nodes, scope, int8, reason, macs, tensors, source } = layer;
  const known = reason !== null && Object.hasOwn(REASONS, reason) ? (reason as ReasonCode) : 'op-not-supported';
  const shapes = (role: 'input' | 'output'): TensorShape[] =>
    tensors
      .filter((tensor) => tensor.role === role)
      .map((tensor) => ({ name: tensor.name, type: tensor.quantization?.type ?? 'float32', shape: tensor.shape }));
  return {
    ...{ name, op, fused, nodes, scope, macs },
    decision: int8 ? 'quantize' : 'float',
    reason: int8 ? null : known,
    inputs: shapes('input'),
    outputs: shapes('output'),
    ...(source === null ? {} : { source: sourceLines(source) }),
  };
}
