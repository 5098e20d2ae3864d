/**
 * The recipe: everything the user decided about one quantization, kept in git beside the model as
 * `NAME.quant.yaml`. This schema is the one source for validation, for hover texts (the
 * descriptions) and for the JSON schema that ships with the extension.
 */

import { z } from 'zod';
import { QuantscopeError } from './errors';
import { MODES, OBSERVERS, TORCH_BACKENDS, type Mode } from './recipeValues';
import { REGEX, regexOf } from './regexSelector';

export {
  MODES,
  OBSERVERS,
  TORCH_BACKENDS,
  TORCH_MODES,
  weightOverride,
  type Mode,
  type ObserverId,
  type TorchBackend,
  type TorchMode,
} from './recipeValues';

export const BACKEND_IDS = [
  'ort-cpu',
  'fbgemm',
  'x86',
  'onednn',
  'qnnpack',
  'tensorrt',
  'qnn',
  'xnnpack',
  'openvino',
] as const;
export type BackendId = (typeof BACKEND_IDS)[number];

/** Those of PyTorch as well. */
export const ALL_MODES = [...MODES, 'eager', 'qat', 'pt2e'] as const;

export const TASKS = ['classify'] as const;

export const FORMATS = ['qdq', 'qoperator'] as const;
export type Format = (typeof FORMATS)[number];

export const PREPROCESS_PRESETS = ['imagenet', 'caffe', 'tf', 'unit'] as const;
export type PreprocessPreset = (typeof PREPROCESS_PRESETS)[number];

export const ACTIVATION_TYPES = ['uint8', 'int8', 'uint16', 'int16'] as const;
export type ActivationType = (typeof ACTIVATION_TYPES)[number];

export const WEIGHT_TYPES = ['int8', 'uint8'] as const;
export type WeightType = (typeof WEIGHT_TYPES)[number];

const positiveInt = z.int().positive();
const size = z
  .union([positiveInt, z.tuple([positiveInt, positiveInt])])
  .describe('One number, or [width, height] in pixels.');
const perChannel = z.union([z.number(), z.array(z.number()).min(1).max(4)]);

export const resizeSchema = z
  .strictObject({
    mode: z
      .enum(['shorter-side', 'exact', 'letterbox'])
      .describe('shorter-side keeps the proportions; exact stretches; letterbox fits and pads.'),
    size,
  })
  .describe('How the image is brought to size before the crop.');

export const preprocessSchema = z
  .strictObject({
    preset: z
      .enum(PREPROCESS_PRESETS)
      .optional()
      .describe('imagenet: RGB /255 with mean and std; caffe: BGR minus mean; tf: x/127.5 − 1; unit: x/255.'),
    resize: resizeSchema.optional(),
    crop: size.optional().describe('Centre crop after the resize.'),
    color: z.enum(['rgb', 'bgr', 'gray', 'y']).optional().describe('y is the luma of YCbCr.'),
    scale: z.number().optional().describe('value = (pixel · scale − mean) / std, pixel in 0…255.'),
    mean: perChannel.optional().describe('Subtracted after `scale`: one number, or one for each channel.'),
    std: perChannel.optional().describe('Divides after `mean`: one number, or one for each channel.'),
    layout: z.enum(['NCHW', 'NHWC']).optional().describe('Read off the shape of the input where left out.'),
    dtype: z.enum(['float32', 'float16', 'uint8', 'int8']).optional().describe('Read off the input where left out.'),
  })
  .describe('How an image becomes the input tensor.');
export type Preprocess = z.infer<typeof preprocessSchema>;

const sources = z.union([z.string(), z.array(z.string()).min(1)]);

export const calibrationSchema = z.strictObject({
  data: sources.describe(
    'Folder, glob, .npy, .npz, .pb, .jsonl or .js module, relative to the recipe; PyTorch also `file.py:loader`; or `synthetic` as a last resort.',
  ),
  samples: positiveInt.optional().describe('How many samples, evenly spread over the data. Default 100.'),
  observer: z.enum(OBSERVERS).optional().describe('What turns the measured values into a range.'),
  percentile: z.number().gt(50).max(100).optional().describe('For the percentile observer. Default 99.999.'),
  seed: z.int().optional().describe('For synthetic data. Default 0.'),
  settled: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      'Stop early once the second half of the samples has widened no range by more than this share, such as 0.01. Default: read all samples.',
    ),
  biasCorrection: z
    .boolean()
    .optional()
    .describe(
      'Let the bias take back what rounding the weights adds to the mean of each channel. Default: the backend’s.',
    ),
});

export const activationSchema = z
  .strictObject({
    type: z
      .enum(ACTIVATION_TYPES)
      .optional()
      .describe('The integers of activations. 16 bits need opset 21. Default: the backend’s.'),
    symmetric: z.boolean().optional().describe('Zero point in the middle of the integers. Default: the backend’s.'),
  })
  .describe('How activations become integers.');

export const weightSchema = z
  .strictObject({
    type: z.enum(WEIGHT_TYPES).optional().describe('The integers of weights. Default: the backend’s.'),
    symmetric: z.boolean().optional().describe('Zero point in the middle of the integers. Default: the backend’s.'),
    granularity: z
      .enum(['per-channel', 'per-tensor'])
      .optional()
      .describe('One scale for each output channel, or one for the whole weight. Default: the backend’s.'),
    reduceRange: z.boolean().optional().describe('Seven bits: never saturates in vpmaddubsw, half the resolution.'),
  })
  .describe('How weights become integers.');

export const layerOverrideSchema = z.strictObject({
  select: z
    .string()
    .min(1)
    .refine(
      (select) => !select.startsWith(REGEX) || regexOf(select) !== undefined,
      'it is no regular expression, or repeats a group that itself repeats or branches, which may take for ever',
    )
    .describe('Exact name, glob, `scope:path`, `op:Type` or `regex:part of a name`.'),
  quantize: z.boolean().optional().describe('false keeps the layer in float.'),
  mode: z
    .enum(MODES)
    .optional()
    .describe('How this layer is quantized, where that is not as `mode` of the recipe says. ONNX only.'),
  activations: z
    .union([z.enum(ACTIVATION_TYPES), activationSchema])
    .optional()
    .describe('Of what the layer reads and writes: a type, or a block of keys.'),
  weights: z
    .union([z.enum(WEIGHT_TYPES), weightSchema])
    .optional()
    .describe('Of the layer’s weight: a type, or a block of keys.'),
  observer: z.enum(OBSERVERS).optional().describe('For the range of what the layer writes.'),
  percentile: z.number().gt(50).max(100).optional().describe('For the percentile observer of this layer.'),
  because: z.string().optional().describe('Why; for the next reader.'),
});
export type LayerOverride = z.infer<typeof layerOverrideSchema>;

export const normalizeSchema = z.strictObject({
  batchnorm: z.boolean().optional().describe('Fold BatchNormalization into the Conv before it. Default true.'),
  constants: z.boolean().optional().describe('Fold constant subgraphs. Default true.'),
  split: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'Names of Concats whose inputs differ much in range: what reads one becomes a layer for each input, so that each has a scale of its own, and their results are added. What the model computes stays. Default: none.',
    ),
  equalize: z
    .boolean()
    .optional()
    .describe(
      'Even out the channels between neighbouring layers, which leaves what the model computes alone (cross-layer equalization, Nagel et al. 2019). Default false.',
    ),
  smooth: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe(
      'Move outlier channels of what MatMul and Gemm read into their weights, with this migration strength, such as 0.5, which leaves what the model computes alone (SmoothQuant, Xiao et al. 2023). Reads the calibration data once more. Default: not at all.',
    ),
  opset: z
    .union([z.literal('auto'), z.literal('keep'), positiveInt])
    .optional()
    .describe('auto raises the opset where the quantized form needs it; keep never does.'),
});

export const validateSchema = z.strictObject({
  data: sources.describe('Labelled samples, named as in `calibration.data`.'),
  labels: z.string().optional().describe('A file with one `file<TAB>class index` per line.'),
  samples: positiveInt.optional().describe('How many samples, evenly spread over the data. Default: all.'),
});

export const gatesSchema = z.strictObject({
  'max-accuracy-drop': z.number().optional().describe('How many points of top-1 accuracy may be lost.'),
  'min-output-sqnr': z.number().optional().describe('The least SQNR of the worst output, in dB.'),
  'max-layers-below': z
    .strictObject({
      sqnr: z.number().describe('In dB; the local SQNR of a layer counts.'),
      layers: z.int().nonnegative().optional().describe('How many may be below. Default 0.'),
    })
    .optional()
    .describe('How many int8 layers may have a lower SQNR of their own.'),
  'max-fallbacks': z
    .int()
    .nonnegative()
    .optional()
    .describe('How many layers may run in float although they were to be int8.'),
  'max-size-ratio': z.number().positive().optional().describe('Bytes of the int8 model ÷ bytes of the fp32 model.'),
  'max-latency-ratio': z
    .number()
    .positive()
    .optional()
    .describe('Time of an int8 inference ÷ that of an fp32 one, on one thread of the machine of the run.'),
});
export type Gates = z.infer<typeof gatesSchema>;

const shape = z.array(z.union([positiveInt, z.string()])).min(1);

export const torchSchema = z
  .strictObject({
    weights: z
      .string()
      .optional()
      .describe('A state_dict for the module that the factory builds; read without running code.'),
    python: z
      .string()
      .optional()
      .describe('The interpreter. Default: a `.venv` beside the recipe or above, then PATH.'),
    inputs: z
      .union([z.array(shape), z.record(z.string(), shape)])
      .optional()
      .describe('Shapes of the inputs, in order or by name; a name stands for a dimension that is open.'),
    engine: z
      .enum(TORCH_BACKENDS)
      .optional()
      .describe('The kernels that run the int8 model here. Default: those of `backend`.'),
    leaves: z
      .array(z.string())
      .optional()
      .describe('Paths of modules that FX does not open, because they cannot be traced; they stay in float.'),
    twins: z
      .array(z.string())
      .optional()
      .describe(
        'Paths of modules to replace by equal ones that have an int8 kernel: RReLU, and PReLU whose slopes are all the same, by LeakyReLU.',
      ),
    train: z
      .string()
      .optional()
      .describe('For mode qat: `file.py:function`, called with the prepared model. Default: distils the fp32 model.'),
    epochs: positiveInt
      .optional()
      .describe('For mode qat without `train`: passes over the calibration data. Default 10.'),
    onnx: z
      .boolean()
      .optional()
      .describe('Also write the int8 model as ONNX in QDQ form, where torch can export it. Default false.'),
    'learning-rate': z
      .number()
      .positive()
      .optional()
      .describe('For mode qat without `train`: at the start, falling to 0. Default 5e-4.'),
  })
  .describe('What only PyTorch models have.');
export type TorchSettings = z.infer<typeof torchSchema>;

export const recipeSchema = z.strictObject({
  model: z
    .string()
    .min(1)
    .describe(
      'The model, relative to the recipe. PyTorch: `file.py:factory`, `package.module:factory`, a pickled module or TorchScript.',
    ),
  framework: z.enum(['onnx', 'torch']).optional().describe('What the model is. Default onnx.'),
  backend: z.enum(BACKEND_IDS).optional().describe('Whose rules decide what runs in int8. Default ort-cpu.'),
  isa: z
    .enum(['auto', 'vnni', 'avx2', 'arm'])
    .optional()
    .describe('The CPU the model will run on, for ort-cpu. auto asks this machine; avx2 saturates u8×s8 products.'),
  mode: z
    .enum(ALL_MODES)
    .optional()
    .describe(
      'static (default), dynamic (activations at run time) or weight-only; PyTorch also eager (its own stubs), qat (trained) and pt2e (torch.export and torchao).',
    ),
  format: z.enum(FORMATS).optional().describe('qdq (default) or qoperator.'),
  calibration: calibrationSchema.optional().describe('The data that activation ranges are measured on, and how.'),
  preprocess: z
    .union([z.enum(PREPROCESS_PRESETS), preprocessSchema])
    .optional()
    .describe('How an image becomes the input tensor: a preset, or a block of keys.'),
  activations: z
    .union([z.enum(ACTIVATION_TYPES), activationSchema])
    .optional()
    .describe('How activations become integers in every layer: a type, or a block of keys.'),
  weights: z
    .union([z.enum(WEIGHT_TYPES), weightSchema])
    .optional()
    .describe('How weights become integers in every layer: a type, or a block of keys.'),
  normalize: normalizeSchema.optional().describe('What is done to the graph before it is quantized.'),
  layers: z
    .array(layerOverrideSchema)
    .optional()
    .describe('Exceptions for single layers. Exact name beats glob beats scope: beats op:; later beats earlier.'),
  validate: validateSchema.optional().describe('The data that errors and accuracy are measured on.'),
  task: z
    .enum(TASKS)
    .optional()
    .describe(
      'What the model does. classify: an output holds one score for each class, so that fp32 and int8 are compared by the class they choose. Default: told by labels, by probabilities or by an ArgMax at the end.',
    ),
  torch: torchSchema.optional(),
  gates: gatesSchema.optional().describe('Limits; a run that breaks one ends with exit status 1.'),
});
export type Recipe = z.infer<typeof recipeSchema>;

/** The recipe's `activations` may be a bare type; this is the long form. */
export function activationOverride(value: Recipe['activations']): z.infer<typeof activationSchema> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}

/** @throws `recipe-invalid` for a mode that only PyTorch models have */
export function onnxMode({ mode = 'static' }: Recipe): Mode {
  const found = MODES.find((known) => known === mode);
  if (found !== undefined) return found;
  throw new QuantscopeError('recipe-invalid', `\`mode: ${mode}\` is for PyTorch models; ONNX has ${MODES.join(', ')}.`);
}

/** A preset name is short for `{ preset: name }`. */
export function preprocessOf(value: Recipe['preprocess']): Preprocess {
  return typeof value === 'string' ? { preset: value } : (value ?? {});
}
