/** What driver and worker say to each other, one JSON object a line; see `worker/wire.py`. */

import { z } from 'zod';
import { OBSERVERS } from '../shared/recipeValues';

const ratio = z.number().nullable();
const place = z.object({ file: z.string(), line: z.number(), text: z.string().default('') });

const frame = z.object({ file: z.string(), line: z.number(), function: z.string() });
export const failureSchema = z.object({
  kind: z.string(),
  message: z.string(),
  /** The key of the recipe that is to blame. */
  where: z.string().nullable(),
  /** Of a model that cannot be traced: the modules that it can be traced around, and whether it has stubs. */
  facts: z.object({ leaves: z.array(z.string()), stubs: z.boolean() }).nullable(),
  /** In the user's files, outermost first. */
  frames: z.array(frame),
  traceback: z.string(),
});
export type Failure = z.infer<typeof failureSchema>;

export const messageSchema = z.union([
  z.object({ id: z.number(), result: z.unknown() }),
  z.object({ id: z.number(), error: failureSchema }),
  z.looseObject({ event: z.string() }),
]);
export type Message = z.infer<typeof messageSchema>;

export const checkSchema = z.object({
  python: z.string(),
  executable: z.string(),
  torch: z.string().nullable(),
  engines: z.array(z.string()),
  fx: z.boolean(),
  torchao: z.string().nullable(),
  torchvision: z.string().nullable(),
  problem: z.string().nullable(),
  /** What pip is to install where there is a problem. */
  install: z.string(),
});
/** What an interpreter can do; `problem` is `null` where it can quantize. */
export type Check = z.infer<typeof checkSchema>;

const dims = z.array(z.union([z.number(), z.string()]));
const inputs = z.array(z.object({ name: z.string(), type: z.string(), shape: dims }));

export const loadedSchema = z.object({
  /** `exported`: a program of torch.export, such as mode pt2e writes. */
  kind: z.enum(['module', 'pickle', 'torchscript', 'exported']),
  /** What the model was read from. */
  files: z.array(z.string()),
  inputs,
  parameters: z.number(),
  /** Of parameters and buffers. */
  bytes: z.number(),
  threads: z.number(),
  /** By engine: whether its u8×s8 products overflow 16 bits on this CPU. */
  saturates: z.record(z.string(), z.boolean()),
  /** Class names of the modules that could take a module's place, by its path. */
  twins: z.record(z.string(), z.string()),
});

export type Loaded = z.infer<typeof loadedSchema>;

const outputs = z.array(z.object({ type: z.string(), shape: z.array(z.number()) }));

export const preparedSchema = z.object({
  layers: z.array(z.object({ name: z.string(), op: z.string() })),
  outputs,
});

export type PreparedModel = z.infer<typeof preparedSchema>;

/** What a user's loader gave, and whether each sample had a class. */
export const gatheredSchema = z.object({ count: z.number(), labelled: z.boolean() });
export const calibratedSchema = z.object({ samples: z.number() });
/** The loss on the samples held out, whether it is the least so far, and whether the training is over. */
export const distilledSchema = z.object({
  epoch: z.number(),
  loss: z.number().nullable(),
  best: z.boolean(),
  ended: z.boolean(),
});
export const convertedSchema = z.object({ bytes: z.number() });

/** What hindered the export to ONNX; `null` where it was written. */
export const exportedSchema = z.object({ problem: z.string().nullable() });
export const floatExportedSchema = exportedSchema.extend({
  /** The package without which torch's exporter does not work. */
  missing: z.string().nullable(),
  /** What the trace took from its sample for good: the way of a condition, or a value. */
  fixed: z.array(z.object({ kind: z.enum(['branch', 'value']), file: z.string(), line: z.number() })),
});
export type FloatExported = z.infer<typeof floatExportedSchema>;

const error = z.union([
  z.object({ incomparable: z.enum(['empty', 'not-finite']) }),
  z.object({
    sqnr: ratio,
    cosine: z.number(),
    worst: z.object({ sample: z.string(), sqnr: ratio }),
    share: z.number().exactOptional(),
  }),
]);
const span = z.object({ min: z.number(), max: z.number() });
const quantization = z.object({
  type: z.string(),
  scale: z.array(z.number()),
  zeroPoint: z.array(z.number()),
  axis: z.number().nullable(),
});

const choice = z.object({
  observer: z.enum(OBSERVERS).nullable(),
  percentile: z.number(),
  qmin: z.number(),
  qmax: z.number(),
  symmetric: z.boolean(),
});

export const layerSchema = z.object({
  name: z.string(),
  op: z.string(),
  fused: z.array(z.string()),
  nodes: z.array(z.string()),
  scope: z.string(),
  source: z.object({ called: place.optional(), built: place.optional() }).nullable(),
  /** Whether integers went in or came out when it ran. */
  int8: z.boolean(),
  /** Why not; `null` where it did. */
  reason: z.string().nullable(),
  kernel: z.string(),
  time: z.object({ int8: ratio, fp32: ratio }),
  macs: z.number(),
  local: error.nullable(),
  accumulated: error.nullable(),
  tensors: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.number()),
      role: z.enum(['input', 'weight', 'output']),
      observed: span.nullable(),
      range: span.nullable(),
      quantization: quantization.nullable(),
      chosenBy: choice.optional(),
    }),
  ),
});
export type WorkerLayer = z.infer<typeof layerSchema>;

const outputErrors = z.array(z.object({ index: z.number(), error }));
export type OutputErrors = z.infer<typeof outputErrors>;

export const analyzedSchema = z.object({
  layers: z.array(layerSchema),
  outputs: outputErrors,
  /** Of a training: the outputs of the int8 model without it. */
  untrained: outputErrors.nullable().default(null),
  /** Layers that read in the float model what was written over in place, and in the int8 model what was there before. */
  stale: z.array(z.string()).default([]),
  /** Of mode pt2e: what hindered int8 kernels, else how well they agree with the graph, in dB; `null` where to the bit. */
  lowered: z.object({ problem: z.string().nullable(), agreement: ratio }).optional(),
});

export type Analyzed = z.infer<typeof analyzedSchema>;

const scores = z.object({ shape: z.array(z.number()), values: z.array(z.number().nullable()) }).nullable();
/** The first output of both models for one sample. */
export const outputsEventSchema = z.object({ sample: z.string(), fp32: scores, int8: scores });
export type Scores = z.infer<typeof scores>;

export const ranEventSchema = z.object({ sample: z.string(), output: scores });

export const contestantsSchema = z.object({ inputs });
/** Milliseconds, one number for each timed round. */
export const raceSchema = z.object({ entries: z.array(z.object({ bytes: z.number(), times: z.array(z.number()) })) });

/** `null` where no int8 kernels were found, so that there is nothing to time. */
export const timesSchema = z.object({ fp32: z.array(z.number()), int8: z.array(z.number()) }).nullable();

export const progressEventSchema = z.object({
  stage: z.enum(['calibrate', 'train', 'convert', 'analyze', 'evaluate', 'benchmark']),
  done: z.number(),
  total: z.number(),
  rate: z.number().optional(),
});
