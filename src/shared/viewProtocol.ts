/**
 * What the layer view (a webview) and its host say to each other. The view asks for what it shows: the state of its
 * model, the rows of the layers page by page in columns, and what belongs to one layer once it is selected. Every
 * request gets a reply or an error. What comes from the view is checked here before anybody acts on it.
 *
 * Times are microseconds, errors decibels of SQNR.
 */

import { QuantscopeError, toQuantscopeError, type ErrorData } from './errors';
import type { FixKind } from './fixes';
import type { Stage } from './progress';
import type { ReasonCode } from './reasons';
import type { BackendId, ObserverId } from './recipe';
import type { AccuracyReport, LatencyReport, Report, Status, TensorReport } from './report';

/** `exact`: no error at all, infinite dB, which JSON cannot say. `null`: not measured. */
export type Decibels = number | 'exact' | null;

/** Figures of one run as a whole. */
export interface RunFacts {
  /** ISO date. */
  readonly created: string;
  readonly backend: BackendId;
  readonly mode: Report['mode'];
  readonly calibration: {
    readonly observer: ObserverId;
    readonly samples: number;
    readonly synthetic: boolean;
  } | null;
  readonly accuracy: AccuracyReport | null;
  readonly bytes: { readonly fp32: number; readonly int8: number | null };
  /** Median of one inference in milliseconds. */
  readonly latency: Pick<LatencyReport, 'fp32' | 'int8' | 'ratio' | 'threads'> | null;
  readonly counts: Readonly<Record<Status, number>>;
  /** The output of the model with the lowest SQNR. */
  readonly output: { readonly name: string; readonly sqnr: Decibels } | null;
}

export interface ReportFacts {
  /** Names this report together with the one it is compared with; rows and layers are asked for by it. */
  readonly id: string;
  /** How many rows there are. */
  readonly layers: number;
  readonly run: RunFacts;
  /** The run it is compared with: the one before it, or one that was chosen. */
  readonly base: (RunFacts & { readonly relation: 'previous' | 'chosen' }) | null;
  readonly warnings: readonly string[];
}

/** Why no model can be run from here, in a sentence; `null` where it can. */
export type Obstacle = string | null;

export type ViewContent =
  /** The model has not been quantized yet. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'failed'; readonly error: ErrorData }
  | { readonly kind: 'report'; readonly report: ReportFacts };

/** A job of this model that is under way. */
export interface JobFacts {
  /** `Quantizing`, `Benchmarking`. */
  readonly title: string;
  readonly stage: Stage | null;
  readonly done: number;
  readonly total: number;
  readonly secondsLeft: number | null;
}

/** What the panel shows, by which it is opened again after the window was reloaded. */
export interface ViewSource {
  /** A model, or the report of a run. */
  readonly target: string;
  /** The report to compare with; `null`: the run before. */
  readonly base: string | null;
}

export interface ViewState {
  readonly source: ViewSource;
  /** File name of the model. */
  readonly title: string;
  readonly content: ViewContent;
  readonly job: JobFacts | null;
  /** Of the last job, until the next one starts. */
  readonly failure: ErrorData | null;
  /** Sentences about what has changed since the report. */
  readonly stale: readonly string[];
  readonly obstacle: Obstacle;
  /** In dB; layers below it are shown as problems. */
  readonly threshold: number;
  /** The layer that all views have selected. */
  readonly selected: string | null;
}

/** Rows of one page, as columns of equal length; row `i` is layer `start + i` in the order of the graph. */
export interface RowPage {
  readonly start: number;
  readonly name: readonly string[];
  /** With what is fused: `Conv+Relu`. */
  readonly op: readonly string[];
  readonly scope: readonly string[];
  readonly status: readonly Status[];
  readonly kernel: readonly (string | null)[];
  readonly reason: readonly (ReasonCode | null)[];
  readonly local: readonly Decibels[];
  readonly accumulated: readonly Decibels[];
  readonly int8: readonly (number | null)[];
  readonly fp32: readonly (number | null)[];
  readonly macs: readonly number[];
  /** The same layers in the run it is compared with, by name; `null` entries where it has no such layer. */
  readonly base: {
    readonly status: readonly (Status | null)[];
    readonly local: readonly Decibels[];
    readonly accumulated: readonly Decibels[];
    readonly int8: readonly (number | null)[];
    readonly fp32: readonly (number | null)[];
  } | null;
}

/** Layers of one page. */
export const PAGE_ROWS = 1_000;

/** Quantization of a tensor; scale and zero point from the smallest to the largest channel. */
export interface TensorFacts extends Pick<TensorReport, 'name' | 'shape' | 'role' | 'observed' | 'range'> {
  readonly quantization: {
    readonly type: string;
    /** Number of scales: 1 per tensor, otherwise one per channel. */
    readonly channels: number;
    readonly scale: readonly [least: number, most: number];
    readonly zeroPoint: readonly [least: number, most: number];
  } | null;
}

export interface FixFacts {
  readonly kind: FixKind;
  readonly title: string;
  readonly detail: string;
  readonly preferred: boolean;
}

/** What the report knows of one layer beyond its row. */
export interface LayerFacts {
  readonly layer: number;
  readonly nodes: readonly string[];
  readonly worst: { readonly sample: string; readonly sqnr: Decibels } | null;
  readonly saturation: number | null;
  readonly tensors: readonly TensorFacts[];
  readonly fixes: readonly FixFacts[];
}

export interface ActivationView {
  readonly tensor: string;
  readonly role: 'input' | 'output';
  /** Bins of equal width over [min, max]. */
  readonly histogram: { readonly min: number; readonly max: number; readonly counts: readonly number[] };
  /** What each observer would choose, with the share of values that it clips. */
  readonly observers: readonly {
    readonly observer: ObserverId;
    readonly min: number;
    readonly max: number;
    readonly clipped: number;
  }[];
  readonly inUse: { readonly observer: ObserverId; readonly min: number; readonly max: number } | null;
  /** value = scale · (integer − zeroPoint), integers from `lowest` to `highest`. */
  readonly grid: {
    readonly scale: number;
    readonly zeroPoint: number;
    readonly lowest: number;
    readonly highest: number;
    readonly type: string;
  } | null;
}

export interface WeightView {
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Per channel. */
  readonly min: readonly number[];
  readonly max: readonly number[];
  /** Largest magnitude that the integers reach, one for all channels or one for each; `null`: not quantized. */
  readonly reach: readonly number[] | null;
  readonly outliers: readonly number[];
  readonly dead: readonly number[];
}

/** What calibration and the weights tell of one layer; computed by the engine. */
export interface LayerMeasurements {
  readonly layer: number;
  readonly activations: readonly ActivationView[];
  readonly weights: readonly WeightView[];
  readonly notes: readonly string[];
}

export const VIEW_ACTIONS = ['run', 'benchmark', 'openRecipe', 'cancel', 'showLog', 'retry', 'trust'] as const;
export type ViewAction = (typeof VIEW_ACTIONS)[number];

export const EXPORT_KINDS = ['svg', 'png', 'csv'] as const;
export type ExportKind = (typeof EXPORT_KINDS)[number];

interface OfLayer {
  readonly report: string;
  readonly layer: number;
}

/** Everything the view asks, with parameters and result. */
export interface ViewRequests {
  state: { params: Record<string, never>; result: ViewState };
  rows: { params: { readonly report: string; readonly start: number }; result: RowPage };
  layer: { params: OfLayer; result: LayerFacts };
  measurements: { params: OfLayer; result: LayerMeasurements };
  /** `null` unpins. */
  select: { params: { readonly report: string; readonly layer: number | null }; result: null };
  /** Applies a fix by its position among those of the layer. */
  fix: { params: OfLayer & { readonly fix: number }; result: null };
  act: { params: { readonly action: ViewAction }; result: null };
  /** `data` is text, of a PNG in base64. The result tells whether a file was written. */
  save: { params: { readonly kind: ExportKind; readonly data: string }; result: boolean };
}
export type ViewMethod = keyof ViewRequests;

/** What the host says unasked. */
export interface ViewEvents {
  state: ViewState;
  job: JobFacts | null;
  /** Another view selected a layer. */
  select: string | null;
}
export type ViewEventName = keyof ViewEvents;

export interface ViewRequest<M extends ViewMethod = ViewMethod> {
  readonly type: 'request';
  readonly id: number;
  readonly method: M;
  readonly params: ViewRequests[M]['params'];
}
export type ViewReply =
  | { readonly type: 'reply'; readonly id: number; readonly result: AnyResult }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorData };
export type ViewEvent = {
  readonly [E in ViewEventName]: { readonly type: 'event'; readonly event: E; readonly data: ViewEvents[E] };
}[ViewEventName];

export type FromView = ViewRequest;
export type ToView = ViewReply | ViewEvent;

/** How long the view waits for an answer, in milliseconds. What asks the user or the engine may take its time. */
export const TIMEOUT_MS: Readonly<Record<ViewMethod, number>> = {
  state: 20_000,
  rows: 20_000,
  layer: 20_000,
  measurements: 120_000,
  select: 20_000,
  fix: Infinity,
  act: Infinity,
  save: Infinity,
};

/** Exports larger than this are not ours. */
const MOST_EXPORTED = 2 ** 26;

type Fields = Readonly<Record<string, unknown>>;
type Check = (params: Fields) => boolean;

const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';
const isOneOf = (value: unknown, options: readonly string[]): boolean => isText(value) && options.includes(value);
const isLayer: Check = ({ report, layer }) => isText(report) && isIndex(layer);

const CHECKS: Readonly<Record<ViewMethod, Check>> = {
  state: () => true,
  rows: ({ report, start }) => isText(report) && isIndex(start),
  layer: isLayer,
  measurements: isLayer,
  select: ({ report, layer }) => isText(report) && (layer === null || isIndex(layer)),
  fix: (params) => isLayer(params) && isIndex(params['fix']),
  act: ({ action }) => isOneOf(action, VIEW_ACTIONS),
  save: ({ kind, data }) => isOneOf(kind, EXPORT_KINDS) && isText(data) && data.length <= MOST_EXPORTED,
};

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

type AnyResult = ViewRequests[ViewMethod]['result'];

export type ViewHandlers = {
  readonly [M in ViewMethod]: (
    params: ViewRequests[M]['params'],
  ) => ViewRequests[M]['result'] | Promise<ViewRequests[M]['result']>;
};

/**
 * Answers a message of the view. What is no request is ignored; everything else gets exactly one reply, also a request
 * of unknown name or with wrong parameters, and one whose handler throws.
 */
export async function answerView(message: unknown, handlers: ViewHandlers): Promise<ViewReply | undefined> {
  const request = fieldsOf(message);
  const id = request?.['id'];
  if (request?.['type'] !== 'request' || typeof id !== 'number') return undefined;
  try {
    return { type: 'reply', id, result: await dispatch(request, handlers) };
  } catch (error) {
    return { type: 'error', id, error: toQuantscopeError(error).toData() };
  }
}

function dispatch({ method, params }: Fields, handlers: ViewHandlers): AnyResult | Promise<AnyResult> {
  const fields = fieldsOf(params);
  if (!isText(method) || !Object.hasOwn(CHECKS, method)) {
    throw new QuantscopeError('internal', `The layer view asked for "${String(method)}", which nobody knows.`);
  }
  const known = method as ViewMethod;
  if (fields === undefined || !CHECKS[known](fields)) {
    throw new QuantscopeError('internal', `The layer view asked for "${known}" with wrong parameters.`);
  }
  // The check has established what the compiler cannot follow across the table.
  const handler = handlers[known] as (params: Fields) => AnyResult | Promise<AnyResult>;
  return handler(fields);
}

const EVENTS: readonly string[] = ['state', 'job', 'select'] satisfies ViewEventName[];

/** A message of the host as what it is; `undefined` for what is not from our host. */
export function readHostMessage(message: unknown): ToView | undefined {
  const fields = fieldsOf(message);
  if (fields === undefined) return undefined;
  const { type, id, event, error } = fields;
  const valid =
    (type === 'reply' && typeof id === 'number') ||
    (type === 'error' && typeof id === 'number' && isText(fieldsOf(error)?.['message'])) ||
    (type === 'event' && isOneOf(event, EVENTS));
  // Host and view are built together; the tags tell apart what the types describe.
  return valid ? (message as ToView) : undefined;
}
