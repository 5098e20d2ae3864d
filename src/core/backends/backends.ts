/** The backends, one table each. */

import { BACKEND_TITLES } from '../../shared/backendTitles';
import { QuantscopeError } from '../../shared/errors';
import { BACKEND_IDS, type BackendId } from '../../shared/recipe';
import type { TargetFacts } from '../../shared/report';
import { CHEAP_OPS, COMPUTE_OPS, CONV_TRANSPOSE, KEEP_FLOAT, MOVE_OPS } from './ops';
import type { Backend } from './types';

const ORT_OPS = { ...COMPUTE_OPS, ...CHEAP_OPS, ...MOVE_OPS } as const;

const UINT8 = { type: 'uint8', symmetric: false, qmin: 0, qmax: 255 } as const;
/** Seven bits, so that the sum of two u8×s8 products fits in 16 bits (pytorch/FBGEMM#125). */
const UINT8_REDUCED = { type: 'uint8', symmetric: false, qmin: 0, qmax: 127 } as const;
const INT8_SYMMETRIC = { type: 'int8', symmetric: true, qmin: -128, qmax: 127 } as const;

const PER_CHANNEL_127 = { type: 'int8', symmetric: true, qmin: -127, qmax: 127, granularity: 'per-channel' } as const;
/** PyTorch's weight observers span [-128, 127] (torch/ao/quantization/observer.py, PerChannelMinMaxObserver). */
const PER_CHANNEL_128 = { type: 'int8', symmetric: true, qmin: -128, qmax: 127, granularity: 'per-channel' } as const;

const FOLDABLE = ['Relu', 'Clip'] as const;

/** What PyTorch's backends have in common when their models run through onnxruntime. */
const TORCH = {
  convention: 'torch',
  biasCorrection: false,
  // torch's HistogramObserver searches the range with the least squared error.
  observer: 'mse',
  ops: ORT_OPS,
  keepFloat: KEEP_FLOAT,
  foldable: FOLDABLE,
  // Read off the graphs it makes: 16-bit QDQ is left as conversions around the float operator.
  activations16: 'float',
  runsHere: true,
  otherwise: 'op-not-supported',
} as const;

export const BACKENDS: Readonly<Record<BackendId, Backend>> = {
  'ort-cpu': {
    id: 'ort-cpu',
    title: BACKEND_TITLES['ort-cpu'],
    source: 'Read off the graphs that onnxruntime 1.30 makes of one-operator QDQ models at level `all`.',
    activations: UINT8,
    weights: PER_CHANNEL_127,
    convention: 'ort',
    biasCorrection: true,
    observer: 'mse',
    ops: ORT_OPS,
    keepFloat: KEEP_FLOAT,
    foldable: FOLDABLE,
    activations16: 'float',
    runsHere: true,
    otherwise: 'op-not-supported',
  },
  fbgemm: {
    ...TORCH,
    id: 'fbgemm',
    title: BACKEND_TITLES.fbgemm,
    source: 'torch.ao.quantization.get_default_qconfig("fbgemm")',
    activations: UINT8_REDUCED,
    weights: PER_CHANNEL_128,
  },
  x86: {
    ...TORCH,
    id: 'x86',
    title: BACKEND_TITLES.x86,
    source: 'torch.ao.quantization.get_default_qconfig("x86"): the same as fbgemm',
    activations: UINT8_REDUCED,
    weights: PER_CHANNEL_128,
  },
  onednn: {
    ...TORCH,
    id: 'onednn',
    title: BACKEND_TITLES.onednn,
    source: 'torch.ao.quantization.get_default_qconfig("onednn"): full range, so it saturates without VNNI',
    activations: UINT8,
    weights: PER_CHANNEL_128,
  },
  qnnpack: {
    ...TORCH,
    id: 'qnnpack',
    title: BACKEND_TITLES.qnnpack,
    source: 'torch.ao.quantization.get_default_qconfig("qnnpack"): full range, weights per tensor',
    activations: UINT8,
    weights: { ...PER_CHANNEL_128, granularity: 'per-tensor' },
  },
  tensorrt: {
    id: 'tensorrt',
    title: BACKEND_TITLES.tensorrt,
    source: 'TensorRT developer guide, explicit quantization: int8 only, zero point 0, weights per channel.',
    activations: INT8_SYMMETRIC,
    weights: PER_CHANNEL_127,
    convention: 'ort',
    biasCorrection: true,
    observer: 'entropy',
    ops: {
      Conv: {
        ...COMPUTE_OPS.Conv,
        conditions: ['constant-weight', 'constant-bias', 'enough-channels'],
        integerOutput: false,
      },
      ConvTranspose: { ...CONV_TRANSPOSE, integerOutput: false },
      Gemm: COMPUTE_OPS.Gemm,
      MatMul: COMPUTE_OPS.MatMul,
      Add: { ...CHEAP_OPS.Add, integerOutput: false },
      AveragePool: { ...CHEAP_OPS.AveragePool, integerOutput: false },
      GlobalAveragePool: { ...CHEAP_OPS.GlobalAveragePool, integerOutput: false },
      MaxPool: { ...MOVE_OPS.MaxPool, integerOutput: false },
    },
    keepFloat: KEEP_FLOAT,
    foldable: [],
    activations16: 'none',
    runsHere: false,
    otherwise: 'op-not-supported',
  },
  qnn: {
    id: 'qnn',
    title: BACKEND_TITLES.qnn,
    source: 'onnxruntime QNN execution provider documentation: fixed shapes, MatMul never per channel.',
    activations: UINT8,
    weights: { type: 'uint8', symmetric: false, qmin: 0, qmax: 255, granularity: 'per-tensor' },
    convention: 'ort',
    biasCorrection: true,
    observer: 'percentile',
    ops: {
      ...ORT_OPS,
      Conv: { ...COMPUTE_OPS.Conv, conditions: ['constant-weight', 'constant-bias', 'static-shape'] },
      ConvTranspose: { ...CONV_TRANSPOSE, conditions: ['constant-weight', 'constant-bias', 'static-shape'] },
      MatMul: {
        ...COMPUTE_OPS.MatMul,
        perTensorWeight: true,
        integerOutput: true,
        conditions: ['constant-factor', 'constant-weight', 'static-shape'],
      },
      Softmax: { kind: 'cheap', integerOutput: true, outputRange: { min: 0, max: 1 } },
    },
    keepFloat: KEEP_FLOAT.filter((op) => op !== 'Softmax'),
    foldable: FOLDABLE,
    // 16-bit activations with 8-bit weights (QNN execution provider documentation, mixed precision).
    activations16: 'kernel',
    runsHere: false,
    otherwise: 'op-not-supported',
  },
  xnnpack: {
    id: 'xnnpack',
    title: BACKEND_TITLES.xnnpack,
    source: 'onnxruntime XNNPACK execution provider documentation: signed, two-dimensional convolutions.',
    activations: { type: 'int8', symmetric: false, qmin: -128, qmax: 127 },
    weights: PER_CHANNEL_127,
    convention: 'ort',
    biasCorrection: true,
    observer: 'percentile',
    ops: {
      Conv: { ...COMPUTE_OPS.Conv, conditions: ['constant-weight', 'constant-bias', 'two-dimensional'] },
      ConvTranspose: {
        ...CONV_TRANSPOSE,
        conditions: ['constant-weight', 'constant-bias', 'two-dimensional'],
        perTensorWeight: true,
      },
      AveragePool: CHEAP_OPS.AveragePool,
      ...MOVE_OPS,
    },
    keepFloat: KEEP_FLOAT,
    foldable: FOLDABLE,
    activations16: 'none',
    runsHere: false,
    otherwise: 'op-not-supported',
  },
  openvino: {
    id: 'openvino',
    title: BACKEND_TITLES.openvino,
    source: 'NNCF preset `mixed`: symmetric weights per channel, asymmetric activations.',
    activations: UINT8,
    weights: PER_CHANNEL_127,
    convention: 'ort',
    biasCorrection: true,
    observer: 'percentile',
    ops: { ...ORT_OPS, ConvTranspose: CONV_TRANSPOSE },
    keepFloat: KEEP_FLOAT,
    foldable: FOLDABLE,
    activations16: 'none',
    runsHere: false,
    otherwise: 'op-not-supported',
  },
};

/** What a report tells of a backend, for those who suggest fixes. */
export function targetFacts({ ops, activations, activations16, biasCorrection }: Backend): TargetFacts {
  const perTensorOps = Object.entries(ops).flatMap(([op, rule]) => (rule.perTensorWeight === true ? [op] : []));
  return { perTensorOps, activations16, levels: activations.qmax - activations.qmin + 1, biasCorrection };
}

/** @throws `backend-unknown`, naming the known ones */
export function backendOf(id: string): Backend {
  const known = BACKEND_IDS.find((candidate) => candidate === id);
  if (known === undefined) {
    throw new QuantscopeError('backend-unknown', `There is no backend "${id}". Known: ${BACKEND_IDS.join(', ')}.`);
  }
  return BACKENDS[known];
}
