/** The one pass over the calibration data, and its result on disk for the next run. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';

import type { Recipe } from '../../shared/recipe';
import { readStats, writeStats } from '../calibrate/cache';
import { collectStats, type CalibrationSession } from '../calibrate/collect';
import type { MeasuredTensor } from '../calibrate/groups';
import type { TensorStats } from '../calibrate/histogram';
import type { Dataset, Skipped } from '../data/types';
import { writeFileAtomic } from '../files';
import { makeFolder } from '../folders';
import { makeAttribute } from '../onnx/attributes';
import { graphOf, makeNode, opsetVersion, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { withOutputs, nameOnly } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { bytesPerElement, makeTensor, toFloat32 } from '../tensor';
import { Settling } from '../calibrate/settling';
import { addDerived, derivedTensors } from './derived';
import { elements } from './macs';
import type { Prepared } from './prepare';
import type { JobContext } from './types';

export interface Calibration {
  readonly stats: ReadonlyMap<string, TensorStats>;
  /** Mean of every channel of the tensors that layers with a bias read. */
  readonly means: ReadonlyMap<string, Float32Array>;
  readonly cached: boolean;
  /** Samples that were read; fewer than there are where the ranges settled before. */
  readonly samples: number;
  /** Those that could not be read; of a calibration from the cache, when it was made. */
  readonly skipped: readonly Skipped[];
  /** Identifies model, data and preprocessing; '' where nothing was measured. */
  readonly key: string;
}

export const STATS_FILE = 'calibration.bin';
const MEANS_FILE = 'calibration.json';
/** In the folder of the results: what was measured for trials, such as of another graph than the run's. */
const TRIALS_FOLDER = 'trials';

/** Where statistics are looked for, in this order, and where new ones go. */
interface Cache {
  readonly read: readonly string[];
  readonly write: string;
}

/** What {@link MEANS_FILE} holds. */
interface MeansFile {
  readonly key: string;
  readonly data: string;
  readonly samples: number;
  /** Earlier versions did not write it. */
  readonly skipped?: readonly Skipped[];
  readonly means: Readonly<Record<string, readonly number[]>>;
}

/**
 * Statistics of every tensor that any recipe for this model and backend could quantize, so that an
 * excluded layer or another observer needs no second pass.
 */
export async function calibrate(
  prepared: Prepared,
  dataset: Dataset,
  recipe: Recipe,
  outDir: string,
  context: JobContext,
): Promise<Calibration> {
  return calibrateWith(prepared, dataset, recipe, { read: [outDir], write: outDir }, context);
}

/**
 * {@link calibrate} for what is only tried: it reads what the run in `outDir` has measured and replaces nothing of it,
 * for the run's report and views go on reading that.
 */
export async function calibrateTrial(
  prepared: Prepared,
  dataset: Dataset,
  recipe: Recipe,
  outDir: string,
  context: JobContext,
): Promise<Calibration> {
  const own = path.join(outDir, TRIALS_FOLDER);
  return calibrateWith(prepared, dataset, recipe, { read: [outDir, own], write: own }, context);
}

async function calibrateWith(
  prepared: Prepared,
  dataset: Dataset,
  recipe: Recipe,
  cache: Cache,
  context: JobContext,
): Promise<Calibration> {
  const tensors = measuredTensors(prepared);
  const channels = channelTensors(prepared, tensors);
  const key = await keyOf(prepared, dataset, recipe);
  for (const folder of cache.read) {
    const known = await fromCache(folder, key, tensors, channels);
    if (known !== undefined) return { ...known, cached: true, key };
  }

  const sums = new ChannelMeans();
  // The means are small and come from inside the graph: the first pass takes all of them.
  let wanted: ReadonlyMap<string, number> = channels;
  const open = async (names: readonly string[]): Promise<CalibrationSession> => {
    const axes = wanted;
    wanted = new Map();
    return openCalibration(prepared, names, axes, sums, context);
  };
  const derived = derivedTensors(prepared.graph, new Set(tensors.map(({ name }) => name)));
  const read = tensors.filter(({ name }) => !derived.has(name));
  const share = recipe.calibration?.settled;
  const options = share === undefined ? context : { ...context, settling: new Settling(share) };
  const collected = await collectStats(open, read, dataset, options);
  const stats = addDerived(collected.stats, derived);
  const { samples } = collected;
  const { skipped } = dataset;
  const means = sums.finish();
  await makeFolder(cache.write);
  await writeStats(path.join(cache.write, STATS_FILE), key, stats);
  const file: MeansFile = {
    key,
    data: dataset.description,
    samples,
    skipped,
    means: Object.fromEntries([...means].map(([name, mean]) => [name, [...mean]])),
  };
  await writeFileAtomic(path.join(cache.write, MEANS_FILE), JSON.stringify(file));
  return { stats, means, samples, skipped, cached: false, key };
}

/** What the last run into a folder measured, whatever its model and data; `undefined` where nothing is left of it. */
export async function readCalibration(
  outDir: string,
): Promise<{ readonly key: string; readonly stats: ReadonlyMap<string, TensorStats> } | undefined> {
  try {
    const { key } = JSON.parse(await readFile(path.join(outDir, MEANS_FILE), 'utf8')) as MeansFile;
    const stats = await readStats(path.join(outDir, STATS_FILE), key);
    return stats === undefined ? undefined : { key, stats };
  } catch {
    return undefined;
  }
}

/** Every float tensor that an int8 layer may read or write. */
function measuredTensors({ plan, tensors, graph }: Prepared): MeasuredTensor[] {
  const names = new Set([...plan.activations.keys()].filter((name) => !graph.isConstant(name)));
  return [...names].flatMap((name) => {
    const info = tensors.get(name);
    return info === undefined ? [] : [{ name, bytes: elements(info.shape) * bytesPerElement(info.type) }];
  });
}

/** Channel axis of the tensors whose means bias correction needs. */
function channelTensors({ plan, tensors }: Prepared, measured: readonly MeasuredTensor[]): Map<string, number> {
  const names = new Set(measured.map(({ name }) => name));
  const axes = new Map<string, number>();
  for (const layer of plan.layers) {
    const [input] = layer.inputs;
    if (input === undefined || !names.has(input) || (layer.op !== 'Conv' && layer.op !== 'Gemm')) continue;
    if ((tensors.get(input)?.shape.length ?? 0) >= 2) axes.set(input, 1);
  }
  return axes;
}

async function keyOf({ describe, model, steps, plan }: Prepared, dataset: Dataset, recipe: Recipe): Promise<string> {
  const parts = {
    model: describe.sha256,
    opset: opsetVersion(model),
    steps: steps.map((step) => [step.id, step.nodes]),
    normalize: recipe.normalize ?? null,
    mode: plan.mode,
    data: await dataset.fingerprint(),
    ...(recipe.calibration?.settled === undefined ? {} : { settled: recipe.calibration.settled }),
  };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function fromCache(
  outDir: string,
  key: string,
  tensors: readonly MeasuredTensor[],
  channels: ReadonlyMap<string, number>,
): Promise<Pick<Calibration, 'stats' | 'means' | 'samples' | 'skipped'> | undefined> {
  const stats = await readStats(path.join(outDir, STATS_FILE), key);
  if (stats === undefined || tensors.some(({ name }) => !stats.has(name))) return undefined;
  try {
    const file = JSON.parse(await readFile(path.join(outDir, MEANS_FILE), 'utf8')) as MeansFile;
    const { samples, skipped } = file;
    const isWhole = skipped !== undefined && [...channels.keys()].every((name) => file.means[name] !== undefined);
    if (file.key !== key || !isWhole) return undefined;
    const means = new Map(Object.entries(file.means).map(([name, mean]) => [name, Float32Array.from(mean)]));
    return { stats, means, samples, skipped };
  } catch {
    // A damaged cache is measured again.
    return undefined;
  }
}

class ChannelMeans {
  readonly #sums = new Map<string, { sum: Float64Array; samples: number }>();

  add(tensor: string, means: Float32Array): void {
    const entry = this.#sums.get(tensor) ?? { sum: new Float64Array(means.length), samples: 0 };
    this.#sums.set(tensor, entry);
    if (means.length !== entry.sum.length || !means.every(Number.isFinite)) return;
    for (let c = 0; c < means.length; c++) entry.sum[c]! += means[c]!;
    entry.samples++;
  }

  finish(): Map<string, Float32Array> {
    const all = [...this.#sums].filter(([, { samples }]) => samples > 0);
    return new Map(all.map(([name, { sum, samples }]) => [name, Float32Array.from(sum, (value) => value / samples)]));
  }
}

/** A session that gives the measured tensors, and leaves the channel means, made inside the graph, in `sums`. */
async function openCalibration(
  { model, graph, tensors }: Prepared,
  names: readonly string[],
  channels: ReadonlyMap<string, number>,
  sums: ChannelMeans,
  { threads }: JobContext,
): Promise<CalibrationSession> {
  const inputs = new Set(graph.inputs);
  const outputs = names.filter((name) => !inputs.has(name));
  const means = new Map<string, string>();
  const measuring = withOutputs(model, outputs);
  for (const [name, axis] of channels) {
    const rank = tensors.get(name)?.shape.length;
    if (rank === undefined) continue;
    const output = `${name}__channel_mean`;
    addMean(
      measuring,
      name,
      output,
      [...Array(rank).keys()].filter((i) => i !== axis),
    );
    means.set(name, output);
  }
  const session = await openSession(measuring, threads === undefined ? {} : { threads });
  const fetches = [...outputs, ...means.values()];
  return {
    async run(feeds) {
      const results = fetches.length > 0 ? await session.run(feeds, fetches) : {};
      for (const [name, output] of means) {
        const mean = results[output];
        if (mean !== undefined) sums.add(name, toFloat32(mean));
      }
      return { ...feeds, ...results };
    },
    close: () => session.close(),
  };
}

/** ReduceMean takes its axes as an attribute before opset 18 and as an input since. */
function addMean(model: OnnxModel, tensor: string, output: string, axes: readonly number[]): void {
  const graph = graphOf(model);
  const asInput = (opsetVersion(model) ?? 0) >= 18;
  const axesName = `${output}_axes`;
  const node = makeNode({
    op: 'ReduceMean',
    name: output,
    inputs: asInput ? [tensor, axesName] : [tensor],
    outputs: [output],
    attributes: { keepdims: 0 },
  });
  if (asInput) {
    const values = BigInt64Array.from(axes, (axis) => BigInt(axis));
    graph.initializer.push(makeTensorProto(axesName, makeTensor('int64', [axes.length], values)));
  } else {
    node.attribute.push(makeAttribute('axes', axes));
  }
  graph.node.push(node);
  graph.output.push(nameOnly(output));
}
