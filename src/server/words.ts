/** Words and numbers as they are shown: what values mean, and how a layer's figures read. */

import { BACKENDS } from '../core/backends/backends';
import { sizeChange } from '../shared/format';
import type { LayerReport, Report } from '../shared/report';

type Meanings = Readonly<Record<string, string>>;

const OBSERVERS: Meanings = {
  'min-max': 'From the smallest to the largest value seen. Nothing is clipped, and one outlier costs all resolution.',
  'moving-average': 'The mean of the extremes of each sample, so that one odd sample counts little.',
  percentile: 'Leaves out the outermost values, as many as `percentile` says.',
  entropy: 'The range whose histogram differs least from the measured one (Kullback–Leibler), as TensorRT does.',
  mse: 'The range with the least squared error.',
};

const INTEGERS: Meanings = {
  uint8: '0 to 255.',
  int8: '−128 to 127.',
  uint16: '0 to 65,535. Needs opset 21 and a target with such kernels.',
  int16: '−32,768 to 32,767. Needs opset 21 and a target with such kernels.',
};

const PRESETS: Meanings = {
  imagenet: 'RGB divided by 255, minus the mean of ImageNet, divided by its deviation.',
  caffe: 'BGR minus the mean of ImageNet, without scaling.',
  tf: 'Pixel / 127.5 − 1: from −1 to 1.',
  unit: 'Pixel / 255: from 0 to 1.',
};

/** What the values of a key mean, by the last part of its path. */
const MEANINGS: Readonly<Record<string, Meanings>> = {
  backend: Object.fromEntries(Object.values(BACKENDS).map(({ id, title, source }) => [id, `${title}. ${source}`])),
  observer: OBSERVERS,
  activations: INTEGERS,
  weights: INTEGERS,
  type: INTEGERS,
  preprocess: PRESETS,
  preset: PRESETS,
  engine: Object.fromEntries(Object.values(BACKENDS).map(({ id, title }) => [id, `The kernels of ${title}.`])),
  framework: {
    onnx: 'An ONNX file, quantized for the runtime that `backend` names.',
    torch: 'A module of PyTorch, which a Python process builds, converts and compares.',
  },
  mode: {
    eager: 'PyTorch, for a model with QuantStub and DeQuantStub of its own.',
    qat: 'PyTorch: trained with fake quantization, by your function or against the fp32 model.',
    static: 'Ranges of activations are measured beforehand, on calibration data.',
    dynamic: 'Ranges of activations are taken at run time. MatMul and Gemm only; needs no data.',
    'weight-only': 'Only weights are integers: the file shrinks, the arithmetic stays in float.',
    'shorter-side': 'Keeps the proportions; the shorter side gets the size.',
    exact: 'Stretches to the size.',
    letterbox: 'Fits into the size and pads.',
  },
  format: {
    qdq: 'QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse.',
    qoperator: 'Operators that work on integers themselves, such as QLinearConv.',
  },
  isa: {
    auto: 'This machine’s CPU.',
    vnni: 'x86 with VNNI, which adds u8×s8 products exactly.',
    avx2: 'x86 without VNNI, where pairs of u8×s8 products saturate.',
    arm: 'ARM, which adds exactly.',
  },
  granularity: {
    'per-channel': 'One scale for each output channel.',
    'per-tensor': 'One scale for the whole weight.',
  },
  color: { rgb: 'Red first.', bgr: 'Blue first.', gray: 'One channel.', y: 'The luma of YCbCr.' },
  opset: { auto: 'Raised where the quantized form needs it.', keep: 'Left as it is.' },
  task: { classify: 'An output holds one score for each class.' },
  quantize: { false: 'The layer stays in float.', true: 'Quantized, though a weaker entry excludes it.' },
};

/** What a value of a key means; `undefined` where it speaks for itself. */
export function meaningOf(key: string, value: string): string | undefined {
  const meanings = Object.hasOwn(MEANINGS, key) ? MEANINGS[key] : undefined;
  return meanings !== undefined && Object.hasOwn(meanings, value) ? meanings[value] : undefined;
}

const STATUS = { quantized: '■ int8', float: '○ float', fallback: '▲ fallback' } as const;

export function statusText({ status }: LayerReport): string {
  return STATUS[status];
}

/** `96.7 → 94.7 %, 2.30× smaller`, of what the run has measured. */
export function resultText({ accuracy, quantized, model }: Report): string {
  const { top1 = null, agreement = null } = accuracy ?? {};
  const parts = [
    top1 !== null
      ? `${top1.fp32.toFixed(1)} → ${top1.int8.toFixed(1)} %`
      : agreement === null
        ? ''
        : `same class ${agreement.toFixed(1)} %`,
    quantized === null || quantized.bytes === 0 ? '' : sizeChange(model.bytes, quantized.bytes),
  ];
  return parts.filter((part) => part !== '').join(', ');
}
