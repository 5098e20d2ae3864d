/** How much work a node is. */

import type { Graph } from '../onnx/graph';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, outputOf } from '../onnx/graph';
import { intAttribute, stringAttribute } from '../onnx/attributes';
import type { TensorInfo } from '../runtime/session';
import type { Prepared } from './prepare';

/** Elements of a shape; symbolic dimensions, mostly the batch, count as one. */
export function elements(shape: readonly (number | string)[]): number {
  return shape.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : 1), 1);
}

type Shape = readonly (number | string)[];

/** Multiply-adds of one inference; 0 for operators that are no products of matrices. */
export function macsOf(node: NodeProto, graph: Graph, tensors: ReadonlyMap<string, TensorInfo>): number {
  const shapeOf = (index: number): Shape => {
    const name = node.input[index] ?? '';
    return graph.initializer(name)?.dims.map(Number) ?? tensors.get(name)?.shape ?? [];
  };
  const output = elements(tensors.get(outputOf(node))?.shape ?? []);
  switch (opKey(node)) {
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
    case 'Einsum':
      return node.input.length < 2
        ? 0
        : einsumMacs(
            stringAttribute(node, 'equation', ''),
            node.input.map((_, i) => shapeOf(i)),
          );
    case 'Attention':
    case 'com.microsoft:MultiHeadAttention':
      // Each query meets every key, and each weight of that every value.
      return (elements(shapeOf(0)) + output) * elements(shapeOf(1).slice(-2, -1));
    case 'com.microsoft:Attention':
      // The three projections, and then as above with queries, keys and values of one input.
      return elements(shapeOf(0)) * elements(shapeOf(1).slice(-1)) + 2 * output * elements(shapeOf(0).slice(-2, -1));
    default:
      return 0;
  }
}

/** Every index of an equation such as `bij,bjk->bik` runs over its whole size; `...` stands for those that have no letter. */
function einsumMacs(equation: string, shapes: readonly Shape[]): number {
  const [left = ''] = equation.replaceAll(/\s/g, '').split('->');
  const sizes = new Map<string, number>();
  for (const [operand, term] of left.split(',').entries()) {
    const shape = shapes[operand] ?? [];
    const unnamed = shape.length - term.replace('...', '').length;
    const letters = term
      .replace('...', '\u2026')
      .split('')
      .flatMap((letter) =>
        // Aligned at their last, as broadcasting does.
        letter === '\u2026' ? Array.from({ length: unnamed }, (_, i) => `${unnamed - i}`) : [letter],
      );
    for (const [axis, letter] of letters.entries())
      sizes.set(letter, Math.max(sizes.get(letter) ?? 1, elements(shape.slice(axis, axis + 1))));
  }
  return [...sizes.values()].reduce((product, size) => product * size, 1);
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
