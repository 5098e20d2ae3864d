/** Speed of models against each other: run alternately in one process, so that both meet the same machine. */

import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import type { Benchmark, BenchmarkEntry, BenchmarkInput } from '../../shared/benchmark';
import { QuantscopeError, throwIfCancelled, toQuantscopeError } from '../../shared/errors';
import { syntheticFeeds } from '../data/synthetic';
import type { InputInfo } from '../data/types';
import { TensorProto_DataLocation } from '../onnx/generated/onnx_pb';
import { resolveExternal } from '../onnx/externalData';
import { graphOf, readModel } from '../onnx/model';
import type { JobContext } from '../pipeline/types';
import { RateMeter } from '../rate';
import { openSession, type Feeds, type Session } from '../runtime/session';
import type { Tensor } from '../tensor';
import { speedup } from './speedup';
import { summarize } from './statistics';

const DEFAULTS = { threads: 1, warmup: 10, runs: 100, seed: 0 } as const;

interface Contestant {
  readonly model: string;
  readonly bytes: number;
  readonly session: Session;
  readonly feeds: Feeds;
  readonly times: number[];
}

/**
 * Times every model on random inputs, all sessions open at once.
 * @throws `usage` for a shape that names no input; the errors of the models
 */
export async function benchmark(input: BenchmarkInput, context: JobContext = {}): Promise<Benchmark> {
  const settings = {
    threads: input.threads ?? context.threads ?? DEFAULTS.threads,
    warmup: input.warmup ?? DEFAULTS.warmup,
    runs: input.runs ?? DEFAULTS.runs,
    seed: input.seed ?? DEFAULTS.seed,
  };
  const contestants: Contestant[] = [];
  try {
    for (const name of input.models) {
      const model = path.resolve(input.baseDir, name);
      const bytes = await modelBytes(model);
      throwIfCancelled(context.signal);
      const session = await openSession(model, { threads: settings.threads });
      const entry = { model, bytes, session, times: [] };
      contestants.push({ ...entry, feeds: randomFeeds(session.inputs, input.shapes ?? {}, settings.seed) });
    }
    await race(contestants, settings, context);
    const [first] = contestants;
    const entries = contestants.map(({ model, bytes, times }, index): BenchmarkEntry => {
      const beside = index === 0 || first === undefined ? { ratio: 1 } : speedup(first.times, times);
      return { model, bytes, ...summarize(times), ...beside };
    });
    return { ...settings, entries };
  } finally {
    for (const { session } of contestants) await session.close();
  }
}

async function race(
  contestants: readonly Contestant[],
  { warmup, runs }: { readonly warmup: number; readonly runs: number },
  context: JobContext,
): Promise<void> {
  const progress = new RateMeter('benchmark', warmup + runs, context.onProgress);
  for (let round = 0; round < warmup + runs; round++) {
    // Each second round goes backwards, so that no model always follows the same one, with its leftovers in the cache.
    for (const { session, feeds, times } of round % 2 === 0 ? contestants : contestants.toReversed()) {
      throwIfCancelled(context.signal);
      const start = performance.now();
      await session.run(feeds).catch((error: unknown) => {
        throw explained(toQuantscopeError(error), session.inputs);
      });
      const time = performance.now() - start;
      if (round >= warmup) times.push(time);
    }
    progress.step();
    // Lets messages in, among them the one that cancels.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @throws `usage` for a shape that fits no input; `data-invalid` for inputs that hold no plain numbers */
function randomFeeds(
  inputs: readonly InputInfo[],
  shapes: Readonly<Record<string, readonly number[]>>,
  seed: number,
): Feeds {
  for (const [name, shape] of Object.entries(shapes)) {
    const known = inputs.find((input) => input.name === name);
    if (known === undefined) {
      const names = inputs.map((input) => input.name).join(', ');
      throw new QuantscopeError('usage', `No input is named "${name}"; the inputs are ${names}.`);
    }
    const fits =
      known.shape.length === shape.length &&
      known.shape.every((dim, i) => typeof dim === 'string' || dim < 0 || dim === shape[i]);
    if (!fits) {
      throw new QuantscopeError(
        'usage',
        `The shape [${shape.join(', ')}] does not fit "${name}" [${known.shape.join(', ')}].`,
      );
    }
  }
  const shaped = inputs.map((input) => ({ ...input, shape: shapes[input.name] ?? input.shape }));
  const feeds = syntheticFeeds(shaped, seed, 0);
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toIndices(tensor)]));
}

/** A model whose dimensions are not fixed may refuse the sizes that were made up for it. */
function explained(error: QuantscopeError, inputs: readonly InputInfo[]): QuantscopeError {
  const open = inputs.filter(({ shape }) => shape.some((dim) => typeof dim === 'string' || dim < 0));
  if (error.code !== 'runtime-failed' || open.length === 0) return error;
  const names = open.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ');
  const hint = `Not all dimensions are fixed: ${names}. Name a shape that fits, for example \`--shape ${exampleShape(open[0]!)}\`.`;
  return new QuantscopeError(error.code, error.message, { hint, cause: error });
}

/** One sample, and a length that is none of the small ones made up before. */
function exampleShape({ name, shape }: InputInfo): string {
  return `${name}=${shape.map((dim, i) => (typeof dim === 'number' && dim > 0 ? dim : i === 0 ? 1 : 512)).join('x')}`;
}

/** Wide integers are mostly indices into a table; 0 and 1 are inside every table that has a choice. */
function toIndices(tensor: Tensor): Tensor {
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return { ...tensor, data: data.map((value) => value % 2n) };
  }
  return data instanceof Int32Array || data instanceof Uint32Array
    ? { ...tensor, data: data.map((value) => value % 2) }
    : tensor;
}

/** A larger file has its weights inside; parsing it only to find none outside would double the memory. */
const SEARCHED_BYTES = 2 ** 28;

/** Bytes of the model file and of the files that hold its external data. */
async function modelBytes(file: string): Promise<number> {
  try {
    const { size } = await stat(file);
    if (size > SEARCHED_BYTES) return size;
    const { folder, ...model } = await readModel(file);
    const external = graphOf(model)
      .initializer.filter((tensor) => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL)
      .map((tensor) => resolveExternal(tensor, undefined, folder).file);
    const sizes = await Promise.all([...new Set(external)].map(async (name) => (await stat(name)).size));
    return sizes.reduce((a, b) => a + b, size);
  } catch (error) {
    throw toQuantscopeError(error, 'model-unreadable');
  }
}
