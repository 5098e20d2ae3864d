/**
 * What the layer view (a webview) and its host say to each other. The view asks for what it shows: the state of its
 * model, the rows of the layers page by page in columns, and what belongs to one layer once it is selected. Every
 * request gets a reply or an error. What comes from the view is checked here before anybody acts on it.
 *
 * Times are microseconds, errors decibels of SQNR.
 */

import { QuantscopeError, toQuantscopeError, type ErrorData } from './errors';
import type { Stage } from './progress';
import {
  SOURCE_KINDS,
  type LayerFacts,
  type LayerMeasurements,
  type ReportFacts,
  type RowPage,
  type SourceKind,
} from './viewFacts';

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

/** Fixes of this model that are tried without being asked for. */
export interface TryingFacts {
  readonly done: number;
  /** 0 as long as it is not known. */
  readonly total: number;
  /** Key of the fix that is tried now. */
  readonly current: string | null;
  /** They go on once the job has ended that a person has started. */
  readonly waits: boolean;
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
  readonly trying: TryingFacts | null;
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

export const VIEW_ACTIONS = [
  'run',
  'benchmark',
  'findCulprits',
  'stopPrices',
  'explainSpeed',
  'openRecipe',
  'exportOnnx',
  'cancel',
  'showLog',
  'retry',
  'trust',
] as const;
export type ViewAction = (typeof VIEW_ACTIONS)[number];

export const EXPORT_KINDS = ['svg', 'png', 'csv'] as const;
export type ExportKind = (typeof EXPORT_KINDS)[number];

interface OfLayer {
  readonly report: string;
  readonly layer: number;
}

/** `null`: of the model as a whole. */
interface OfAny {
  readonly report: string;
  readonly layer: number | null;
}

/** Everything the view asks, with parameters and result. */
export interface ViewRequests {
  state: { params: Record<string, never>; result: ViewState };
  rows: { params: { readonly report: string; readonly start: number }; result: RowPage };
  layer: { params: OfLayer; result: LayerFacts };
  measurements: { params: OfLayer; result: LayerMeasurements };
  /** `null` unpins. */
  select: { params: OfAny; result: null };
  /** Applies the fix with this key, of the layer or of the model. */
  fix: { params: OfAny & { readonly key: string }; result: null };
  /** Applies the fix with this key of those that the failure offers. */
  repair: { params: { readonly key: string }; result: null };
  /** Tries the fixes of the layer, or those of the model and of the layers to blame. */
  price: { params: OfAny; result: null };
  /** Opens the sample that a cause names, by the position of the cause. */
  openSample: { params: OfAny & { readonly cause: number }; result: null };
  /** Opens a line of the layer's source. */
  source: { params: OfLayer & { readonly kind: SourceKind }; result: null };
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
  repair: Infinity,
  price: Infinity,
  openSample: Infinity,
  source: 20_000,
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
const isAny: Check = (params) => isLayer(params) || (isText(params['report']) && params['layer'] === null);

const CHECKS: Readonly<Record<ViewMethod, Check>> = {
  state: () => true,
  rows: ({ report, start }) => isText(report) && isIndex(start),
  layer: isLayer,
  measurements: isLayer,
  select: isAny,
  fix: (params) => isAny(params) && isText(params['key']),
  repair: ({ key }) => isText(key),
  price: isAny,
  openSample: (params) => isAny(params) && isIndex(params['cause']),
  source: (params) => isLayer(params) && isOneOf(params['kind'], SOURCE_KINDS),
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
