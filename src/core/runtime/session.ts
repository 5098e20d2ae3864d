/**
 * onnxruntime behind a small typed interface. This folder is the only place that imports
 * onnxruntime-node, so that errors, tensors and options have one shape everywhere else.
 */

import './silence';
import { channel } from 'node:diagnostics_channel';
import * as ort from 'onnxruntime-node';
import { QuantscopeError } from '../../shared/errors';
import type { OnnxModel } from '../onnx/model';
import { serializeModel } from '../onnx/model';
import { isElementType, type ElementType, type Tensor, type TypedArray } from '../tensor';
import { checkThreads } from './threads';

/** A tensor as the runtime describes it; a dimension it does not know is a symbolic name. */
export interface TensorInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

/** `basic` folds constants and BatchNormalization; `extended` fuses Q/DQ into int8 kernels; `all` also changes layouts. */
export type OptimizationLevel = 'disabled' | 'basic' | 'extended' | 'all';

export interface SessionOptions {
  readonly level?: OptimizationLevel;
  /** Threads inside one operator; the runtime's own choice (one a core) where left out. */
  readonly threads?: number;
  /** Where to write the optimized model. */
  readonly optimizedModelPath?: string;
  /** Prefix of the profile file that {@link Session.endProfiling} completes. */
  readonly profilePrefix?: string;
  /** Session config entries, e.g. `session.x64quantprecision`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** What is told of each session on {@link SESSIONS_OPENED}. */
export interface SessionOpened {
  readonly level: OptimizationLevel;
  /** Nodes of the model; `undefined` for one that was opened from its file. */
  readonly nodes: number | undefined;
  readonly milliseconds: number;
}

/**
 * Tells of each session, since opening one costs more than linearly in the nodes of the model: benches and tests count
 * them, which a busy machine does not change.
 */
export const SESSIONS_OPENED = 'quantscope:session-opened';
const opened = channel(SESSIONS_OPENED);

/** Of older operator sets it has few operators: https://onnxruntime.ai/docs/reference/compatibility.html */
export const OLDEST_OPSET = 7;

export type Feeds = Readonly<Record<string, Tensor>>;

/** A session that has been opened; `close` frees its native memory, which garbage collection does not hurry to. */
export interface Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /**
   * One inference. Blocks this thread while the kernels run.
   * @param fetches the outputs wanted; all where left out
   * @throws `runtime-failed`
   */
  run(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
  endProfiling(): void;
  close(): Promise<void>;
}

/**
 * Opens a model from its file or from memory; in memory, external data is found in its folder.
 * @throws `usage` for too many threads, `opset-unsupported` for one newer than the runtime, `custom-op` where the runtime knows no such operator, else `runtime-rejected`
 */
export async function openSession(source: OnnxModel | string, options: SessionOptions = {}): Promise<Session> {
  checkThreads(options.threads);
  const config: Record<string, unknown> = {
    // Between two runs this process measures tensors; spinning kernel threads would take its core.
    'session.intra_op.allow_spinning': '0',
    ...options.config,
  };
  if (typeof source !== 'string' && source.folder !== undefined) {
    config['session.model_external_initializers_file_folder_path'] = source.folder;
  }
  const ortOptions: ort.InferenceSession.SessionOptions = {
    graphOptimizationLevel: options.level ?? 'all',
    logSeverityLevel: 4,
    extra: nest(config),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads, interOpNumThreads: 1 }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
  };
  let inner: ort.InferenceSession;
  const started = performance.now();
  try {
    inner =
      typeof source === 'string'
        ? await ort.InferenceSession.create(source, ortOptions)
        : await ort.InferenceSession.create(serializeModel(source), ortOptions);
  } catch (error) {
    throw rejection(error);
  }
  if (opened.hasSubscribers) {
    const nodes = typeof source === 'string' ? undefined : source.proto.graph?.node.length;
    const event: SessionOpened = { level: options.level ?? 'all', nodes, milliseconds: performance.now() - started };
    opened.publish(event);
  }
  const notNumeric = inner.inputMetadata.filter((m) => !m.isTensor || !isElementType(m.type));
  return {
    inputs: tensorInfos(inner.inputMetadata),
    outputs: tensorInfos(inner.outputMetadata),
    async run(feeds, fetches = inner.outputNames) {
      const [unfed] = notNumeric;
      if (unfed !== undefined) {
        const what = unfed.isTensor ? `a tensor of ${unfed.type}` : 'no tensor';
        const message = `The input "${unfed.name}" is ${what}: only numbers can be fed.`;
        throw new QuantscopeError('input-unsupported', message);
      }
      const ortFeeds: Record<string, ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) ortFeeds[name] = toOrt(tensor);
      let results: ort.InferenceSession.ReturnType;
      try {
        results = await inner.run(ortFeeds, fetches);
      } catch (error) {
        throw new QuantscopeError('runtime-failed', `onnxruntime failed while running the model: ${messageOf(error)}`, {
          cause: error,
        });
      }
      const tensors: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(results)) {
        const tensor = fromOrt(value);
        if (tensor !== undefined) tensors[name] = tensor;
      }
      return tensors;
    },
    endProfiling: () => {
      inner.endProfiling();
    },
    close: () => inner.release(),
  };
}

/** The runtime flattens `extra` objects with dots, so entries travel as nested objects. */
function nest(entries: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const [domain, ...rest] = key.split('.');
    const group = (root[domain!] ??= {}) as Record<string, unknown>;
    group[rest.join('.')] = value;
  }
  return root;
}

function tensorInfos(metadata: readonly ort.InferenceSession.ValueMetadata[]): TensorInfo[] {
  return metadata.flatMap((m) =>
    m.isTensor && isElementType(m.type) ? [{ name: m.name, type: m.type, shape: m.shape }] : [],
  );
}

function toOrt(tensor: Tensor): ort.Tensor {
  return new ort.Tensor(tensor.type as ort.Tensor.Type, tensor.data as ort.Tensor.DataType, tensor.dims);
}

function fromOrt(value: ort.OnnxValue): Tensor | undefined {
  if (!(value instanceof ort.Tensor) || !isElementType(value.type)) return undefined;
  let data = value.data as TypedArray;
  // Where the JavaScript engine has Float16Array the binding uses it; the core carries the bits.
  if (value.type === 'float16' && !(data instanceof Uint16Array)) {
    const view = data as Uint8Array;
    data = new Uint16Array(view.buffer, view.byteOffset, view.length);
  }
  return { type: value.type, dims: value.dims, data };
}

function rejection(error: unknown): QuantscopeError {
  const message = messageOf(error);
  const [, opset, newest] = /Opset (\d+) is under development.*till opset (\d+)/s.exec(message) ?? [];
  if (opset !== undefined && newest !== undefined) {
    const text = `The model has opset ${opset}; this onnxruntime knows ${OLDEST_OPSET} to ${newest}.`;
    return new QuantscopeError('opset-unsupported', text, {
      hint: `Export the model at opset 13 to ${newest}.`,
      cause: error,
    });
  }
  const unknownOp = /([\w.]*:?\w+)\(-?\d+\) is not a registered function\/op/.exec(message);
  return unknownOp === null
    ? new QuantscopeError('runtime-rejected', `onnxruntime does not load the model: ${message}`, { cause: error })
    : new QuantscopeError('custom-op', `onnxruntime has no operator ${unknownOp[1]}.`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
