/** The smallest and largest value of every channel in every sample, made inside the graph. */

import { throwIfCancelled } from '../../shared/errors';
import type { Dataset } from '../data/types';
import { makeAttribute } from '../onnx/attributes';
import { graphOf, makeNode, opsetVersion, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { nameOnly, withOutputs } from '../runtime/inspect';
import { openSession, type TensorInfo } from '../runtime/session';
import { makeTensor, toFloat32 } from '../tensor';

/** One entry a sample; each has one value a channel (axis 1), or one in all where there is no such axis. */
export interface Extremes {
  readonly min: readonly Float32Array[];
  readonly max: readonly Float32Array[];
}

export interface SampleExtremes {
  readonly samples: readonly string[];
  readonly tensors: ReadonlyMap<string, Extremes>;
}

/** @throws `runtime-rejected`, `runtime-failed`, `cancelled`, and what reading the samples throws */
export async function extremesOf(
  model: OnnxModel,
  tensors: readonly TensorInfo[],
  samples: Pick<Dataset, 'samples'>,
  { threads, signal }: { readonly threads?: number; readonly signal?: AbortSignal },
): Promise<SampleExtremes> {
  const reducing = withOutputs(model, []);
  const outputs = tensors.map(({ name, shape }) => ({
    name,
    min: addReduction(reducing, 'ReduceMin', name, shape.length),
    max: addReduction(reducing, 'ReduceMax', name, shape.length),
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
function addReduction(model: OnnxModel, op: 'ReduceMin' | 'ReduceMax', tensor: string, rank: number): string {
  const graph = graphOf(model);
  const output = `${tensor}__${op}`;
  const axes = [...Array(rank).keys()].filter((axis) => axis !== 1);
  const asInput = (opsetVersion(model) ?? 0) >= 18;
  const node = makeNode({ op, name: output, inputs: [tensor], outputs: [output], attributes: { keepdims: 0 } });
  if (asInput) {
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
