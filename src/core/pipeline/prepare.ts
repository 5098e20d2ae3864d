/** From a model file and a recipe to a plan: everything that needs no data, and smoothing, which does. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { throwIfCancelled, QuantscopeError } from '../../shared/errors';
import type { Recipe } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import { backendOf } from '../backends/backends';
import type { Backend } from '../backends/types';
import { normalizeModel, type Normalized, type NormalizeStep } from '../normalize/normalize';
import { checkSizes } from '../normalize/shapes';
import { Graph } from '../onnx/graph';
import { opsetVersion, readModel, type OnnxModel } from '../onnx/model';
import { externalFiles } from '../onnx/tensors';
import { makePlan, requiredOpset } from '../plan/plan';
import type { Concessions, Plan } from '../plan/types';
import { productsSaturate } from '../runtime/cpu';
import { inferTensors } from '../runtime/inspect';
import { OLDEST_OPSET, openSession, type TensorInfo } from '../runtime/session';
import { seeded } from '../reference/seed';
import { smoothed } from './smoothing';
import type { JobContext } from './types';

export interface Prepared {
  readonly file: string;
  readonly original: OnnxModel;
  /** The normalised model: the fp32 side of every comparison. */
  readonly model: OnnxModel;
  readonly graph: Graph;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly steps: readonly NormalizeStep[];
  readonly backend: Backend;
  /** As the tables have it; what the runtime makes of it is another question. */
  readonly plan: Plan;
  /** The plan where some of it did not hold. */
  readonly planWith: (concessions: Concessions) => Plan;
  readonly inputs: readonly TensorInfo[];
  readonly describe: Report['model'];
  readonly isa: Isa;
}

/** What the model is made for, and what this machine is. */
export interface Isa {
  readonly target: 'vnni' | 'avx2' | 'arm';
  /** Whether u8×s8 products saturate on the target. */
  readonly saturates: boolean;
  /** Whether they do here. */
  readonly saturatesHere: boolean;
}

/** Why the runtime refuses a model, where that is the age of its operator set. */
function tooOld(model: OnnxModel): QuantscopeError | undefined {
  const opset = opsetVersion(model) ?? OLDEST_OPSET;
  if (opset >= OLDEST_OPSET) return undefined;
  const message = `The model has opset ${opset}; onnxruntime runs ${OLDEST_OPSET} and newer.`;
  return new QuantscopeError('opset-unsupported', message);
}

export async function prepare(recipe: Recipe, baseDir: string, context: JobContext): Promise<Prepared> {
  const { signal, onProgress } = context;
  onProgress?.({ stage: 'read', done: 0, total: 1 });
  const file = path.resolve(baseDir, recipe.model);
  const original = await readModel(file);
  const files = [file, ...externalFiles(original)];
  // Loaded as it is first: what the runtime refuses is refused here, with its own words.
  const session = await openSession(file, { level: 'disabled', threads: 1 }).catch((error: unknown) => {
    throw tooOld(original) ?? error;
  });
  const { inputs, outputs } = session;
  await session.close();
  throwIfCancelled(signal);

  onProgress?.({ stage: 'normalize', done: 0, total: 1 });
  const backend = backendOf(recipe.backend ?? 'ort-cpu');
  const required = requiredOpset(recipe);
  const sha256 = await hashFiles(files);
  const {
    model: normalized,
    steps,
    parts,
  } = await smoothed(await normalizeFor(recipe, original), sha256, recipe, baseDir, context);
  const model = seeded(normalized);
  const version = opsetVersion(model) ?? 0;
  if (version < required) {
    throw new QuantscopeError(
      'opset-unsupported',
      `The quantized form needs opset ${required}; the model has ${version}.`,
      {
        hint: 'Let `normalize.opset` be `auto`, or export the model at that opset.',
      },
    );
  }
  const tensors = await inferTensors(model);
  checkSizes(tensors);
  throwIfCancelled(signal);

  onProgress?.({ stage: 'plan', done: 0, total: 1 });
  const isa = await isaOf(recipe);
  const planWith = (concessions: Concessions): Plan =>
    makePlan({ model, tensors, backend, recipe, parts, saturates: isa.saturates, concessions });
  return {
    file,
    original,
    model,
    graph: new Graph(model),
    tensors,
    steps,
    backend,
    plan: planWith(new Map()),
    planWith,
    inputs,
    isa,
    describe: {
      path: file,
      sha256,
      bytes: await sizeOf(files),
      opset: opsetVersion(original) ?? 0,
      producer: `${original.proto.producerName} ${original.proto.producerVersion}`.trim(),
      inputs,
      outputs,
    },
  };
}

/** The model in the form in which the recipe has it quantized. */
export async function normalizeFor(recipe: Recipe, original: OnnxModel): Promise<Normalized> {
  return normalizeModel(original, {
    batchnorm: recipe.normalize?.batchnorm ?? true,
    constants: recipe.normalize?.constants ?? true,
    split: recipe.normalize?.split ?? [],
    equalize: recipe.normalize?.equalize ?? false,
    opset: recipe.normalize?.opset ?? 'auto',
    requiredOpset: requiredOpset(recipe),
  });
}

async function isaOf(recipe: Recipe): Promise<Isa> {
  const saturatesHere = await productsSaturate();
  const here = os.arch() === 'arm64' ? 'arm' : saturatesHere ? 'avx2' : 'vnni';
  const target = recipe.isa === undefined || recipe.isa === 'auto' ? here : recipe.isa;
  return { target, saturates: target === 'avx2', saturatesHere };
}

/** Of the model file alone where it holds everything, else of all its files one after the other. */
export async function hashFiles(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
