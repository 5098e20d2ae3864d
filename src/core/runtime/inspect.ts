/** What the runtime can tell about a model: shapes, its optimized graph, kernel times. */

import { readFile, readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from '../onnx/generated/onnx_pb';
import { cloneModel, graphOf, parseModel, shallow, type OnnxModel } from '../onnx/model';
import { dataTypeOf } from '../onnx/tensorProto';
import { checkRoom, inTemporaryFolder } from '../temporaryFolder';
import type { ElementType } from '../tensor';
import { openSession, type Feeds, type OptimizationLevel, type SessionOptions, type TensorInfo } from './session';

/** A graph output by name alone: the runtime infers type and shape. */
export function nameOnly(name: string): ValueInfoProto {
  return create(ValueInfoProtoSchema, { name });
}

export function valueInfo(name: string, type: ElementType, shape?: readonly (number | string)[]): ValueInfoProto {
  const dim = shape?.map((d) =>
    create(TensorShapeProto_DimensionSchema, {
      value: typeof d === 'number' ? { case: 'dimValue', value: BigInt(d) } : { case: 'dimParam', value: d },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: dataTypeOf(type),
    ...(dim === undefined ? {} : { shape: create(TensorShapeProtoSchema, { dim }) }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } }),
  });
}

/** The model with more of its tensors as outputs, which is how they are measured. */
export function withOutputs(model: OnnxModel, names: Iterable<string>): OnnxModel {
  const copy = cloneModel(model);
  const graph = graphOf(copy);
  const present = new Set(graph.output.map((o) => o.name));
  for (const name of names) {
    if (present.has(name)) continue;
    present.add(name);
    graph.output.push(nameOnly(name));
  }
  return copy;
}

/**
 * Type and shape of every tensor of the main graph, inferred by the runtime itself: a session over
 * the model with every node output as a graph output knows them all, optimizations off.
 */
export async function inferTensors(model: OnnxModel): Promise<Map<string, TensorInfo>> {
  const names = graphOf(model).node.flatMap((node) => node.output.filter((name) => name !== ''));
  const session = await openSession(withOutputs(model, names), { level: 'disabled', threads: 1 });
  try {
    return new Map([...session.inputs, ...session.outputs].map((info) => [info.name, info]));
  } finally {
    await session.close();
  }
}

/** The graph as the runtime optimizes it at a level. */
export async function optimizeModel(
  model: OnnxModel,
  level: OptimizationLevel,
  config: SessionOptions['config'] = {},
): Promise<OnnxModel> {
  return inTemporaryFolder(async (folder) => {
    const file = path.join(folder, 'optimized.onnx');
    const session = await openSession(model, { level, threads: 1, optimizedModelPath: file, config });
    await session.close();
    return parseModel(await readFile(file), model.folder);
  });
}

/** One kernel as the runtime timed it. */
export interface KernelTime {
  readonly node: string;
  readonly op: string;
  /** Median over the runs, in microseconds: one interruption would spoil a mean. */
  readonly microseconds: number;
}

/**
 * Per-node kernel times from the runtime's profiler.
 * @param runs timed runs after one warm-up
 */
export async function profileKernels(
  model: OnnxModel,
  feeds: Feeds,
  options: { readonly level: OptimizationLevel; readonly runs: number; readonly threads: number },
): Promise<KernelTime[]> {
  return inTemporaryFolder(async (folder) => {
    const session = await openSession(withPlainNames(model), {
      level: options.level,
      threads: options.threads,
      profilePrefix: path.join(folder, 'profile'),
    });
    try {
      for (let i = 0; i <= options.runs; i++) await session.run(feeds);
      session.endProfiling();
    } finally {
      await session.close();
    }
    return kernelTimes(await readEvents(folder), options.runs);
  });
}

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly ts?: number;
  readonly args?: { readonly op_name?: string };
}

/** What JSON wants escaped and the profiler writes as it is (onnxruntime 1.30). */
const UNESCAPED = /["\\\p{Cc}]/gu;
/** A character by its number, between two for private use: names that the optimizer makes of others keep it. */
const WRITTEN = /\ue000([0-9a-f]+)\ue001/g;

/** The model with node names that the profiler's file can hold; {@link kernelTimes} reads them back. */
function withPlainNames(model: OnnxModel): OnnxModel {
  const written = (name: string): string =>
    name.replaceAll(UNESCAPED, (character) => `\ue000${character.charCodeAt(0).toString(16)}\ue001`);
  if (graphOf(model).node.every(({ name }) => written(name) === name)) return model;
  const copy = cloneModel(model);
  const graph = graphOf(copy);
  graph.node = graph.node.map((node) => shallow(node, { name: written(node.name) }));
  return copy;
}

/** The profile is a list of trace events; a kernel is `NODE_kernel_time`. Its first run is the warm-up. */
function kernelTimes(all: readonly ProfileEvent[], runs: number): KernelTime[] {
  const events = all.filter((e) => e.cat === 'Node' && e.name?.endsWith('_kernel_time') === true);
  const times = new Map<string, { op: string; durations: number[] }>();
  for (const { name = '', args, dur = 0 } of events) {
    const node = name
      .slice(0, -'_kernel_time'.length)
      .replaceAll(WRITTEN, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
    const entry = times.get(node) ?? { op: args?.op_name ?? '', durations: [] };
    entry.durations.push(dur);
    times.set(node, entry);
  }
  return [...times].map(([node, { op, durations }]) => {
    const timed = durations.slice(-runs).sort((a, b) => a - b);
    return { node, op, microseconds: timed[Math.floor(timed.length / 2)] ?? 0 };
  });
}

/**
 * Of the one profile in a folder; empty where it is no JSON, as names inside of subgraphs may make it: then there are no
 * times.
 * @throws `disk-full` where it is cut off, about which the profiler is silent
 */
async function readEvents(folder: string): Promise<readonly ProfileEvent[]> {
  try {
    const [file = ''] = await readdir(folder);
    return JSON.parse(await readFile(path.join(folder, file), 'utf8')) as ProfileEvent[];
  } catch (error) {
    await checkRoom(folder, error);
    return [];
  }
}
