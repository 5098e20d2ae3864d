/** The conditions that backends put on single nodes: predicates over the graph, each with the reason it gives. */

import type { ReasonCode } from '../../shared/reasons';
import type { Condition, OpRule } from '../backends/types';
import { floatAttribute, intAttribute, stringAttribute } from '../onnx/attributes';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import { outputOf } from '../onnx/graph';
import type { TensorInfo } from '../runtime/session';

export interface NodeFacts {
  readonly node: NodeProto;
  readonly rule: OpRule;
  readonly graph: Graph;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

interface Check {
  readonly reason: ReasonCode;
  readonly holds: (facts: NodeFacts) => boolean;
}

/** TensorRT runs convolutions with fewer channels faster in float (NVIDIA ModelOpt, find_nodes_to_exclude). */
const FEWEST_CHANNELS = 16;

export const CONDITIONS: Readonly<Record<Condition, Check>> = {
  // Measured with onnxruntime 1.32 and VNNI on the shapes of BERT, ViT and Swin: QLinearMatMul of two activations
  // and the quantizers before it run 0.61 to 0.95 times as fast as the float product, and lose accuracy.
  'constant-factor': {
    reason: 'activation-product',
    holds: ({ node, graph }) => node.input.some((name) => graph.isConstant(name)),
  },
  'constant-weight': {
    reason: 'dynamic-weight',
    holds: ({ node, rule, graph }) => rule.weight !== undefined && isConstantInput(graph, node, rule.weight.input),
  },
  'constant-recurrence': {
    reason: 'dynamic-weight',
    holds: ({ node, rule, graph }) => rule.recurrence !== undefined && isConstantInput(graph, node, rule.recurrence),
  },
  // The attribute `layout` came with opset 14; the int8 operator has none.
  'time-major': { reason: 'op-not-supported', holds: ({ node }) => intAttribute(node, 'layout', 0) === 0 },
  'constant-bias': {
    reason: 'dynamic-bias',
    holds: ({ node, rule, graph }) => {
      const name = rule.bias === undefined ? undefined : node.input[rule.bias];
      return name === undefined || name === '' || graph.isConstant(name);
    },
  },
  // The int8 kernel adds the bias as it is and reads A row by row.
  'gemm-plain': {
    reason: 'op-not-supported',
    holds: ({ node, graph, tensors }) => {
      const bias = node.input[2] ?? '';
      const plain = intAttribute(node, 'transA', 0) === 0 && floatAttribute(node, 'alpha', 1) > 0;
      if (!plain || bias === '') return plain;
      const shape = graph.constant(bias)?.dims ?? tensors.get(bias)?.shape ?? [];
      return floatAttribute(node, 'beta', 1) === 1 && isRow(shape, tensors.get(outputOf(node))?.shape[1]);
    },
  },
  'resize-nearest': {
    reason: 'op-not-supported',
    holds: ({ node }) => stringAttribute(node, 'mode', 'nearest') === 'nearest',
  },
  'static-shape': {
    reason: 'shape-dynamic',
    holds: ({ node, tensors }) => {
      const shape = tensors.get(outputOf(node))?.shape;
      return shape?.every((dim, axis) => axis === 0 || typeof dim === 'number') === true;
    },
  },
  'two-dimensional': {
    reason: 'op-not-supported',
    holds: ({ node, tensors }) => tensors.get(outputOf(node))?.shape.length === 4,
  },
  'enough-channels': {
    reason: 'channels-too-few',
    holds: ({ node, graph }) => {
      const dims = graph.initializer(node.input[1] ?? '')?.dims.map(Number) ?? [];
      const [outputs = 0, inputs = 0] = dims;
      return Math.min(outputs, inputs * intAttribute(node, 'group', 1)) >= FEWEST_CHANNELS;
    },
  },
};

/** Whether the shape of a Gemm's C is one value a column. */
export function isRow(shape: readonly (number | string)[], columns: number | string | undefined): boolean {
  return shape.length > 0 && shape.at(-1) === columns && shape.slice(0, -1).every((dim) => dim === 1);
}

function isConstantInput(graph: Graph, node: NodeProto, index: number): boolean {
  const name = node.input[index];
  return name !== undefined && name !== '' && graph.isConstant(name);
}

/** Bounds of a Clip: attributes up to opset 10, constant inputs since 11; `undefined` where they are computed. */
export function clipBounds(node: NodeProto, graph: Graph): [number | undefined, number | undefined] {
  const bound = (index: number, attributeName: string, fallback: number): number | undefined => {
    const name = node.input[index];
    if (name === undefined || name === '') return floatAttribute(node, attributeName, fallback);
    const value = graph.constant(name)?.data[0];
    return value === undefined ? undefined : Number(value);
  };
  return [bound(1, 'min', -Infinity), bound(2, 'max', Infinity)];
}
