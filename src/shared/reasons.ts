/**
 * Why a node is not quantized, as stable codes with a sentence for people and what to do about it.
 * The one table every view, diagnostic and the terminal reads.
 */

export interface Reason {
  /** `float`: on purpose, nobody expects integers. `fallback`: was to be int8 and cannot. */
  readonly status: 'float' | 'fallback';
  readonly sentence: string;
  readonly advice: string;
}

export const REASONS = {
  excluded: {
    status: 'float',
    sentence: 'The recipe keeps this layer in float.',
    advice: 'Remove the entry under `layers` to quantize it.',
  },
  'op-not-supported': {
    status: 'fallback',
    sentence: 'The backend has no int8 kernel for this operator.',
    advice: 'Replace the operator in the network, or choose a backend that has one.',
  },
  'op-keeps-float': {
    status: 'float',
    sentence: 'This operator loses too much in int8 for what it costs, so the backend keeps it in float.',
    advice: 'Nothing to do: it is on purpose.',
  },
  'no-op': {
    status: 'float',
    sentence: 'The node hands its input on unchanged, and the runtime removes it.',
    advice: 'Nothing to do: it costs neither accuracy nor time.',
  },
  merged: {
    status: 'float',
    sentence: 'The runtime computes the operator inside the kernel of a neighbour, or folded it away.',
    advice: 'Nothing to do: it runs no kernel of its own.',
  },
  'data-movement': {
    status: 'float',
    sentence: 'The operator only moves data and none of its inputs is quantized.',
    advice: 'Nothing to do: it costs no accuracy and follows its neighbours.',
  },
  'shape-computation': {
    status: 'float',
    sentence: 'The node computes shapes or indices, which are integers already.',
    advice: 'Nothing to do.',
  },
  'not-float': {
    status: 'float',
    sentence: 'The tensors of this node are not floating point.',
    advice: 'Nothing to do.',
  },
  'dynamic-weight': {
    status: 'fallback',
    sentence: 'The weight of this layer is computed at run time; the backend needs a constant.',
    advice: 'Fold the weight into a constant when exporting, where that is possible.',
  },
  'activation-product': {
    status: 'float',
    sentence: 'Both factors of this product are computed at run time; only products with a constant run in int8.',
    advice: 'Nothing to do: quantizing both factors first takes longer than the float product, as in attention.',
  },
  'dynamic-bias': {
    status: 'fallback',
    sentence: 'The bias of this layer is computed at run time; an int8 kernel needs a constant.',
    advice: 'Fold the bias into a constant when exporting.',
  },
  'in-subgraph': {
    status: 'fallback',
    sentence: 'The node lies in a subgraph (If, Loop, Scan), which stays in float.',
    advice: 'Export the model without control flow, for example by tracing one branch.',
  },
  'type-unknown': {
    status: 'fallback',
    sentence: 'The runtime cannot infer type or shape of a tensor of this node.',
    advice: 'Export the model with fixed shapes, or simplify it.',
  },
  'custom-domain': {
    status: 'fallback',
    sentence: 'The operator belongs to a custom domain whose rules are not known here.',
    advice: 'Nothing to do; its neighbours are quantized around it.',
  },
  'opset-too-old': {
    status: 'fallback',
    sentence: 'The operator set of the model cannot express the quantized form of this operator.',
    advice: 'Let `normalize.opset` be `auto`, or export the model at opset 13 or newer.',
  },
  'batchnorm-unfolded': {
    status: 'fallback',
    sentence: 'BatchNormalization was not folded into a Conv, and has no int8 kernel of its own.',
    advice: 'Let `normalize.batchnorm` be true; where its input is no Conv it stays in float.',
  },
  'channels-too-few': {
    status: 'float',
    sentence: 'The backend runs convolutions with this few channels faster in float.',
    advice: 'Nothing to do: it is on purpose.',
  },
  'shape-dynamic': {
    status: 'fallback',
    sentence: 'The backend needs fixed shapes and this node has none.',
    advice: 'Export the model with fixed shapes.',
  },
  'needs-dynamic': {
    status: 'fallback',
    sentence:
      'The runtime has an int8 kernel for this operator that quantizes its activations at run time, and no other.',
    advice: 'Set `mode: dynamic` for this layer.',
  },
  'weight-only-at-most': {
    status: 'fallback',
    sentence: 'The runtime has no int8 kernel for this operator in any mode.',
    advice:
      'Set `mode: weight-only` for this layer: its weights take a quarter of the space, and it computes in float.',
  },
  'mode-skips-op': {
    status: 'float',
    sentence: 'The mode of this layer quantizes no operator of this kind.',
    advice: 'Set `mode: static`, for the recipe or for this layer, where there is an int8 kernel for it.',
  },
  'activations-uncalibrated': {
    status: 'fallback',
    sentence: 'Calibration saw no finite value of an input or output of this layer.',
    advice: 'Check the calibration data: does it reach this part of the network?',
  },
  'runtime-not-fused': {
    status: 'fallback',
    sentence: 'The layer was to run in int8, but the runtime has no int8 kernel for it in this place.',
    advice:
      'Nothing to do in ONNX, where it stays as it is; in PyTorch exclude it, which saves the conversions around it.',
  },
  'runtime-rejected': {
    status: 'fallback',
    sentence: 'The layer was to run in int8, but the int8 kernel of the runtime rejects it.',
    advice: 'Nothing to do: it stays as it is, and the model runs.',
  },
  'float-island': {
    status: 'float',
    sentence: 'Quantizing it would only add conversions: neither neighbour runs in int8.',
    advice: 'Nothing to do.',
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;
