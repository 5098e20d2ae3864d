/**
 * MatMul with a bias is Gemm: the runtime merges the two into one before it looks for int8 kernels,
 * and then finds none unless the bias is int32 as Gemm's must be. So they are merged beforehand.
 */

import { graphOf, makeNode, cloneModel, type OnnxModel } from '../onnx/model';
import type { Plan, PlannedLayer } from '../plan/types';

/** Model and plan with every MatMul layer that has a bias as one Gemm of the same name; the same ones where there is none. */
export function mergeMatMulBias(model: OnnxModel, plan: Plan): { model: OnnxModel; plan: Plan } {
  const merged = plan.layers.filter(({ op, quantize, bias }) => op === 'MatMul' && quantize && bias !== null);
  if (merged.length === 0) return { model, plan };
  const copy = cloneModel(model);
  const graph = graphOf(copy);
  const layers = new Map<PlannedLayer, PlannedLayer>();
  for (const layer of merged) {
    const [add, ...fused] = layer.fused;
    const gemm = makeNode({
      op: 'Gemm',
      name: layer.name,
      inputs: [...layer.node.input, layer.bias ?? ''],
      outputs: add?.output ?? [],
    });
    graph.node = graph.node.flatMap((node) =>
      node.name === add?.name ? [] : node.name === gemm.name ? [gemm] : [node],
    );
    layers.set(layer, { ...layer, op: 'Gemm', node: gemm, fused });
  }
  return { model: copy, plan: { ...plan, layers: plan.layers.map((layer) => layers.get(layer) ?? layer) } };
}
