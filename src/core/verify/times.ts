/** Whose time each kernel's is. Pure; the profile comes from the runtime. */

import type { Conversion } from '../convert/types';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import type { Plan, PlannedLayer } from '../plan/types';
import type { KernelTime } from '../runtime/inspect';
import { isConversion, stemOf, tensorsOf } from './kernels';

export interface LayerTimes {
  /** Microseconds of one run by layer name; layers that the runtime merged into another have none. */
  readonly layers: ReadonlyMap<string, number>;
  /** Changes between float and int8 and between layouts that belong to no one layer, in microseconds. */
  readonly overhead: number;
}

/**
 * Sums kernel times by layer. A layer owns the kernels named after its nodes or its tensors, and the
 * conversions around it where the runtime left it in float against the plan; all else is overhead.
 * @param optimized the graph that was profiled
 */
export function timesByLayer(
  plan: Plan,
  conversion: Conversion,
  optimized: Graph,
  times: readonly KernelTime[],
): LayerTimes {
  const nodes = new Map(optimized.nodes.map((node) => [node.name, node]));
  const owners = new Owners(plan, conversion);
  const layers = new Map<string, number>();
  let overhead = 0;
  for (const { node: name, microseconds } of times) {
    const node = nodes.get(name);
    const owner =
      node !== undefined && isConversion(node) ? servedLayer(node, optimized, owners) : owners.of(name, node?.output);
    if (owner === undefined) overhead += microseconds;
    else layers.set(owner.name, (layers.get(owner.name) ?? 0) + microseconds);
  }
  return { layers, overhead };
}

/** The one planned-int8 layer that a conversion is there for, as it only is where that layer runs in float. */
function servedLayer(conversion: NodeProto, optimized: Graph, owners: Owners): PlannedLayer | undefined {
  const neighbours =
    conversion.opType === 'QuantizeLinear'
      ? [optimized.producer(conversion.input[0] ?? '')]
      : conversion.output.flatMap((name) => optimized.uses(name).map((use) => use.node));
  const served = new Set(
    neighbours.map((node) => (node === undefined ? undefined : owners.of(node.name, node.output))),
  );
  const [only] = served;
  return served.size === 1 && only?.quantize === true ? only : undefined;
}

/** Finds the layer behind a name the runtime gave. */
class Owners {
  readonly #byNode = new Map<string, PlannedLayer>();
  readonly #byTensor = new Map<string, PlannedLayer>();

  constructor(plan: Plan, conversion: Conversion) {
    for (const layer of plan.layers) {
      for (const node of [layer.node, ...layer.fused]) {
        this.#byNode.set(node.name, layer);
        for (const output of node.output) this.#byTensor.set(output, layer);
      }
      for (const tensor of tensorsOf(layer, conversion)) this.#byTensor.set(tensor, layer);
    }
    this.#byNode.delete('');
    this.#byTensor.delete('');
  }

  /** Nodes in blocks of channels are named after the tensor they compute: `T_nchwc`. */
  of(name: string, outputs: readonly string[] = []): PlannedLayer | undefined {
    const stem = stemOf(name);
    if (stem.endsWith('_nchwc')) return this.#byTensor.get(stem.slice(0, -'_nchwc'.length));
    const found = this.#byNode.get(name) ?? this.#byNode.get(stem);
    return found ?? outputs.map((output) => this.#byTensor.get(stemOf(output))).find((layer) => layer);
  }
}
