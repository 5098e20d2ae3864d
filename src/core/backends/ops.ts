/** Operator rules that several backends share. */

import type { OpRule } from './types';

const conv: OpRule = {
  kind: 'compute',
  weight: { input: 1, axis: 0 },
  bias: 2,
  integerOutput: true,
  conditions: ['constant-weight', 'constant-bias'],
};

const gemm: OpRule = {
  kind: 'compute',
  weight: { input: 1, axis: 'gemm' },
  bias: 2,
  conditions: ['constant-weight', 'constant-bias', 'gemm-plain'],
};

const matMul: OpRule = {
  kind: 'compute',
  weight: { input: 1, axis: 'last' },
  conditions: ['constant-factor', 'constant-weight'],
};

const cheap: OpRule = { kind: 'cheap', integerOutput: true };
const elementwise: OpRule = { kind: 'cheap', activations: 'all', integerOutput: true };
const move: OpRule = { kind: 'move', integerOutput: true };

/** Conv, Gemm and MatMul with constant weights. */
export const COMPUTE_OPS = { Conv: conv, Gemm: gemm, MatMul: matMul } as const;

export const CONV_TRANSPOSE: OpRule = { ...conv, weight: { input: 1, axis: 1 } };

/**
 * Of weights [directions, gates × hidden, size] each row is a channel. No runtime of ours has a kernel with activations of
 * known scales for them, so they are quantized in other modes only.
 */
const recurrent: OpRule = {
  kind: 'compute',
  weight: { input: 1, axis: 1 },
  recurrence: 2,
  conditions: ['constant-weight', 'constant-recurrence', 'time-major'],
};

export const RECURRENT_OPS: Readonly<Record<string, OpRule>> = { LSTM: recurrent, GRU: recurrent, RNN: recurrent };

/** Sums, products and pooling. */
export const CHEAP_OPS = {
  Add: elementwise,
  Mul: elementwise,
  Concat: elementwise,
  AveragePool: cheap,
  GlobalAveragePool: cheap,
  LeakyRelu: cheap,
  Sigmoid: { ...cheap, outputRange: { min: 0, max: 1 } },
} as const satisfies Record<string, OpRule>;

/** Operators that select or rearrange values and so keep scale and zero point. */
export const MOVE_OPS = {
  MaxPool: move,
  Reshape: move,
  Flatten: move,
  Squeeze: move,
  Unsqueeze: move,
  Transpose: move,
  Gather: move,
  Slice: move,
  Split: move,
  Expand: move,
  Tile: move,
  DepthToSpace: move,
  ReduceMax: move,
  ReduceMin: move,
  Resize: { ...move, conditions: ['resize-nearest'] },
} as const satisfies Record<string, OpRule>;

/** Normalisation and transcendental functions, which lose much in eight bits and are a small part of the time. */
export const KEEP_FLOAT = [
  'Softmax',
  'LogSoftmax',
  'LayerNormalization',
  'RMSNormalization',
  'SimplifiedLayerNormalization',
  'SkipLayerNormalization',
  'InstanceNormalization',
  'GroupNormalization',
  'LpNormalization',
  'Gelu',
] as const;
