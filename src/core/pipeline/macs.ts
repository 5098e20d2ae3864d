/** How much work a node is. */

import type { Graph } from '../onnx/graph';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { outputOf } from '../onnx/graph';
import { intAttribute } from '../onnx/attributes';
import type { TensorInfo } from '../runtime/session';
import type { Prepared } from './prepare';

/** Elements of a shape; symbolic dimensions, mostly the batch, count as one. */
export function elements(shape: readonly (number | string)[]): number {
  return shape.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : 1), 1);
}

/** Multiply-adds of one inference; 0 for operators that do not multiply by weights. */
export function macsOf(node: NodeProto, graph: Graph, tensors: ReadonlyMap<string, TensorInfo>): number {
  const shapeOf = (index: number): readonly (number | string)[] => {
    const name = node.input[index] ?? '';
    return graph.initializer(name)?.dims.map(Number) ?? tensors.get(name)?.shape ?? [];
  };
  const output = elements(tensors.get(outputOf(node))?.shape ?? []);
  switch (node.opType) {
    case 'Conv': {
      const [outputs, ...rest] = shapeOf(1);
      return outputs === undefined ? 0 : output * elements(rest);
    }
    case 'ConvTranspose': {
      // Every input element meets the whole kernel of its channel.
      const [, ...rest] = shapeOf(1);
      return elements(shapeOf(0)) * elements(rest);
    }
    case 'MatMul':
      return output * elements(shapeOf(0).slice(-1));
    case 'Gemm':
      return (
        output *
        elements(
          shapeOf(0)
            .slice(intAttribute(node, 'transA', 0) === 1 ? -2 : -1)
            .slice(0, 1),
        )
      );
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      // Every step multiplies its input by W and the state by R.
      return elements(shapeOf(0).slice(0, 2)) * (elements(shapeOf(1)) + elements(shapeOf(2)));
    default:
      return 0;
  }
}

/** Percent of the multiply-adds that the plan runs in int8. */
export function quantizedShare({ plan, graph, tensors }: Pick<Prepared, 'plan' | 'graph' | 'tensors'>): number {
  let [all, int8] = [0, 0];
  for (const { node, quantize } of plan.layers) {
    const macs = macsOf(node, graph, tensors);
    all += macs;
    if (quantize) int8 += macs;
  }
  return all === 0 ? 0 : (100 * int8) / all;
}
