/** The smallest and largest value of every channel in every sample, made inside the graph. */

import { throwIfCancelled } from '../../shared/errors';
import type { Dataset } from '../data/types';
import { makeAttribute } from '../onnx/attributes';
import { opKey, type Graph } from '../onnx/graph';
import { graphOf, makeNode, opsetVersion, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { nameOnly, withOutputs } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { makeTensor, toFloat32 } from '../tensor';

/** A tensor of known rank; one without its channel axis has one channel. */
export interface ChannelTensor {
  readonly name: string;
  readonly rank: number;
  readonly axis: number;
}

/** One entry a sample; each has one value a channel. */
export interface Extremes {
  readonly min: readonly Float32Array[];
  readonly max: readonly Float32Array[];
}

export interface SampleExtremes {
  readonly samples: readonly string[];
  readonly tensors: ReadonlyMap<string, Extremes>;
}

const ROWS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'LayerNormalization']);

/** The last axis of what a matrix product reads or writes, else the second. */
export function channelAxisOf(graph: Graph, tensor: string, rank: number): number {
  const reads = graph.uses(tensor).some(({ node, index }) => index === 0 && ROWS.has(opKey(node)));
  const producer = graph.producer(tensor);
  return reads || (producer !== undefined && ROWS.has(opKey(producer))) ? rank - 1 : 1;
}

/** @throws `runtime-rejected`, `runtime-failed`, `cancelled`, and what reading the samples throws */
export async function extremesOf(
  model: OnnxModel,
  tensors: readonly ChannelTensor[],
  samples: Pick<Dataset, 'samples'>,
  { threads, signal }: { readonly threads?: number; readonly signal?: AbortSignal },
): Promise<SampleExtremes> {
  const reducing = withOutputs(model, []);
  const outputs = tensors.map((tensor) => ({
    name: tensor.name,
    min: addReduction(reducing, 'ReduceMin', tensor),
    max: addReduction(reducing, 'ReduceMax', tensor),
  }));
  const found = new Map(tensors.map(({ name }) => [name, { min: [] as Float32Array[], max: [] as Float32Array[] }]));
  const ids: string[] = [];
  const session = await openSession(reducing, { level: 'basic', ...(threads === undefined ? {} : { threads }) });
  try {
    for await (const { id, feeds } of samples.samples(signal)) {
      throwIfCancelled(signal);
      ids.push(id);
      const made = await session.run(
        feeds,
        outputs.flatMap(({ min, max }) => [min, max]),
      );
      for (const { name, min, max } of outputs) {
        const entry = found.get(name)!;
        // Copied, for the runtime's memory goes with the next run.
        entry.min.push(Float32Array.from(toFloat32(made[min]!)));
        entry.max.push(Float32Array.from(toFloat32(made[max]!)));
      }
    }
  } finally {
    await session.close();
  }
  return { samples: ids, tensors: found };
}

/** ReduceMin and ReduceMax take their axes as an attribute before opset 18 and as an input since. */
function addReduction(model: OnnxModel, op: 'ReduceMin' | 'ReduceMax', { name, rank, axis }: ChannelTensor): string {
  const graph = graphOf(model);
  const output = `${name}__${op}`;
  const axes = [...Array(rank).keys()].filter((other) => other !== axis);
  const asInput = (opsetVersion(model) ?? 0) >= 18;
  const node = makeNode({ op, name: output, inputs: [name], outputs: [output], attributes: { keepdims: 0 } });
  if (asInput && axes.length > 0) {
    const values = BigInt64Array.from(axes, (axis) => BigInt(axis));
    graph.initializer.push(makeTensorProto(`${output}_axes`, makeTensor('int64', [axes.length], values)));
    node.input.push(`${output}_axes`);
  } else if (axes.length > 0) {
    node.attribute.push(makeAttribute('axes', axes));
  }
  graph.node.push(node);
  graph.output.push(nameOnly(output));
  return output;
}

/** Largest magnitude of each channel over all samples; empty for a tensor that was not measured. */
export function channelPeaks({ tensors }: SampleExtremes, name: string): number[] {
  const found = tensors.get(name);
  const channels = found?.max[0]?.length ?? 0;
  return Array.from({ length: channels }, (_, c) =>
    Math.max(...found!.max.map((max, i) => Math.max(max[c]!, -found!.min[i]![c]!))),
  );
}
