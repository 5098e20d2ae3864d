/**
 * The recipe: everything the user decided about one quantization, kept in git beside the model as
 * `NAME.quant.yaml`. This schema is the one source for validation, for hover texts (the
 * descriptions) and for the JSON schema that ships with the extension.
 */

import { z } from 'zod';

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

export const OBSERVERS = ['min-max', 'moving-average', 'percentile', 'entropy', 'mse'] as const;
export type ObserverId = (typeof OBSERVERS)[number];

export const MODES = ['static', 'dynamic', 'weight-only'] as const;
export type Mode = (typeof MODES)[number];

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

export const resizeSchema = z.strictObject({
  mode: z
    .enum(['shorter-side', 'exact', 'letterbox'])
    .describe('shorter-side keeps the proportions; exact stretches; letterbox fits and pads.'),
  size,
});

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
    mean: perChannel.optional(),
    std: perChannel.optional(),
    layout: z.enum(['NCHW', 'NHWC']).optional().describe('Read off the shape of the input where left out.'),
    dtype: z.enum(['float32', 'float16', 'uint8', 'int8']).optional().describe('Read off the input where left out.'),
  })
  .describe('How an image becomes the input tensor.');
export type Preprocess = z.infer<typeof preprocessSchema>;

const sources = z.union([z.string(), z.array(z.string()).min(1)]);

export const calibrationSchema = z.strictObject({
  data: sources.describe(
    'Folder, glob, .npy, .npz, .pb, .jsonl or .js module, relative to the recipe; or `synthetic` as a last resort.',
  ),
  samples: positiveInt.optional().describe('How many samples, evenly spread over the data. Default 100.'),
  observer: z.enum(OBSERVERS).optional().describe('What turns the measured values into a range.'),
  percentile: z.number().gt(50).max(100).optional().describe('For the percentile observer. Default 99.999.'),
  seed: z.int().optional().describe('For synthetic data. Default 0.'),
  biasCorrection: z
    .boolean()
    .optional()
    .describe(
      'Let the bias take back what rounding the weights adds to the mean of each channel. Default: the backend’s.',
    ),
});

export const activationSchema = z.strictObject({
  type: z.enum(ACTIVATION_TYPES).optional(),
  symmetric: z.boolean().optional(),
});

export const weightSchema = z.strictObject({
  type: z.enum(WEIGHT_TYPES).optional(),
  symmetric: z.boolean().optional(),
  granularity: z.enum(['per-channel', 'per-tensor']).optional(),
  reduceRange: z.boolean().optional().describe('Seven bits: never saturates in vpmaddubsw, half the resolution.'),
});

export const layerOverrideSchema = z.strictObject({
  select: z.string().min(1).describe('Exact name, glob, `scope:path` or `op:Type`.'),
  quantize: z.boolean().optional(),
  activations: z.union([z.enum(ACTIVATION_TYPES), activationSchema]).optional(),
  weights: z.union([z.enum(WEIGHT_TYPES), weightSchema]).optional(),
  observer: z.enum(OBSERVERS).optional(),
  percentile: z.number().gt(50).max(100).optional(),
  because: z.string().optional().describe('Why; for the next reader.'),
});
export type LayerOverride = z.infer<typeof layerOverrideSchema>;

export const normalizeSchema = z.strictObject({
  batchnorm: z.boolean().optional().describe('Fold BatchNormalization into the Conv before it. Default true.'),
  constants: z.boolean().optional().describe('Fold constant subgraphs. Default true.'),
  opset: z
    .union([z.literal('auto'), z.literal('keep'), positiveInt])
    .optional()
    .describe('auto raises the opset where the quantized form needs it; keep never does.'),
});

export const validateSchema = z.strictObject({
  data: sources,
  labels: z.string().optional().describe('A file with one `file<TAB>class index` per line.'),
  samples: positiveInt.optional(),
});

export const gatesSchema = z.strictObject({
  'max-accuracy-drop': z.number().optional().describe('Points of top-1.'),
  'min-output-sqnr': z.number().optional().describe('dB at the worst output.'),
});

export const recipeSchema = z.strictObject({
  model: z.string().min(1).describe('The model, relative to the recipe.'),
  framework: z.literal('onnx').optional(),
  backend: z.enum(BACKEND_IDS).optional().describe('Whose rules decide what runs in int8. Default ort-cpu.'),
  isa: z
    .enum(['auto', 'vnni', 'avx2', 'arm'])
    .optional()
    .describe('The CPU the model will run on, for ort-cpu. auto asks this machine; avx2 saturates u8×s8 products.'),
  mode: z.enum(MODES).optional().describe('static (default), dynamic (activations at run time) or weight-only.'),
  format: z.enum(FORMATS).optional().describe('qdq (default) or qoperator.'),
  calibration: calibrationSchema.optional(),
  preprocess: z.union([z.enum(PREPROCESS_PRESETS), preprocessSchema]).optional(),
  activations: z.union([z.enum(ACTIVATION_TYPES), activationSchema]).optional(),
  weights: z.union([z.enum(WEIGHT_TYPES), weightSchema]).optional(),
  normalize: normalizeSchema.optional(),
  layers: z
    .array(layerOverrideSchema)
    .optional()
    .describe('Exact name beats glob beats scope: beats op:; later beats earlier.'),
  validate: validateSchema.optional(),
  gates: gatesSchema.optional(),
});
export type Recipe = z.infer<typeof recipeSchema>;

/** The recipe's `activations` and `weights` may be a bare type; this is the long form. */
export function activationOverride(value: Recipe['activations']): z.infer<typeof activationSchema> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}
export function weightOverride(value: Recipe['weights']): z.infer<typeof weightSchema> {
  return typeof value === 'string' ? { type: value } : (value ?? {});
}

/** A preset name is short for `{ preset: name }`. */
export function preprocessOf(value: Recipe['preprocess']): Preprocess {
  return typeof value === 'string' ? { preset: value } : (value ?? {});
}
