/**
 * What client and engine say to each other: JSON-RPC 2.0 over the channel of a forked process with
 * `advanced` serialization, so that typed arrays travel as they are. Cancellation is JSON-RPC's own
 * `$/cancelRequest`. Every failure crosses as {@link ErrorData} in the `data` of the JSON-RPC error.
 */

import type { Benchmark, BenchmarkInput } from './benchmark';
import type { DetailsInput, LayerDetails } from './details';
import { ERROR_CODES, QuantscopeError, toQuantscopeError, type ErrorData } from './errors';
import type { EvaluateInput, Evaluation } from './evaluation';
import type { Inspection } from './inspection';
import type { OnnxExport, OnnxExportInput } from './onnxExport';
import type { Prices, PricesInput } from './price';
import type { Progress } from './progress';
import type { BackendId, Recipe } from './recipe';
import type { Report } from './report';
import type { TuneInput, Tuning } from './tuning';
import type { Culprits, CulpritsInput } from './verdicts';

/** Raised with every change that the other side would misunderstand. */
export const PROTOCOL_VERSION = 1;

export interface InspectInput {
  /** Relative to {@link baseDir}. */
  readonly model: string;
  readonly backend?: BackendId;
  readonly recipe?: Recipe;
  readonly baseDir: string;
  /** Of PyTorch: only what the model takes, no layers, so that a model that cannot be traced is looked at as well. */
  readonly shallow?: boolean;
}

export interface QuantizeInput {
  readonly recipe: Recipe;
  /** Folder against which the paths of the recipe are resolved. */
  readonly baseDir: string;
  /** Where the results go; by default the folder `NAME.quant` beside the model. */
  readonly outDir?: string;
}

/** The jobs: one runs at a time, the others wait in the order in which they came. */
export interface Jobs {
  inspect: { input: InspectInput; output: Inspection };
  quantize: { input: QuantizeInput; output: Report };
  evaluate: { input: EvaluateInput; output: Evaluation };
  benchmark: { input: BenchmarkInput; output: Benchmark };
  details: { input: DetailsInput; output: LayerDetails };
  culprits: { input: CulpritsInput; output: Culprits };
  prices: { input: PricesInput; output: Prices };
  tune: { input: TuneInput; output: Tuning };
  exportOnnx: { input: OnnxExportInput; output: OnnxExport };
}
export type JobName = keyof Jobs;
export const JOB_NAMES = [
  'inspect',
  'quantize',
  'evaluate',
  'benchmark',
  'details',
  'culprits',
  'prices',
  'tune',
  'exportOnnx',
] as const satisfies readonly JobName[];

/** What every job may be told besides its own input. */
export interface JobOptions {
  /** Threads inside one operator; the runtime's own choice where left out. */
  readonly threads?: number;
  /** Upper bound for the activations that one calibration pass holds at once, in bytes. */
  readonly memoryCapBytes?: number;
  /** Whether code of the user may run: data modules and PyTorch models. */
  readonly trusted?: boolean;
  /** The Python program for PyTorch models whose recipe names none. */
  readonly python?: string;
}

/** `job` is the client's number for it, which its progress carries. */
export interface JobRequest<N extends JobName> {
  readonly job: number;
  readonly input: Jobs[N]['input'];
  readonly options: JobOptions;
}

/** The first message of either side. */
export interface Hello {
  readonly protocol: number;
  /** Version of the program. */
  readonly version: string;
}

export interface EngineHello extends Hello {
  readonly pid: number;
  /** Version of Node. */
  readonly runtime: string;
}

/** Every request with its parameters and its result. */
export type Requests = {
  readonly [N in JobName]: { readonly params: JobRequest<N>; readonly result: Jobs[N]['output'] };
} & {
  readonly hello: { readonly params: Hello; readonly result: EngineHello };
  readonly shutdown: { readonly params: Record<string, never>; readonly result: null };
};

export type LogLevel = 'info' | 'error';

/** What the engine says unasked. */
export interface Notifications {
  readonly progress: { readonly job: number; readonly progress: Progress };
  readonly log: { readonly level: LogLevel; readonly line: string };
}

/** Why two sides cannot work together; `undefined` where they can. They ship together, so any difference counts. */
export function helloMismatch(client: Hello, engine: Hello): string | undefined {
  if (client.protocol === engine.protocol && client.version === engine.version) return undefined;
  const side = ({ protocol, version }: Hello): string => `${version} (protocol ${protocol})`;
  return `The client is version ${side(client)}, the engine is version ${side(engine)}.`;
}

/** The JSON-RPC code of every failure of ours; its `data` says which one. Outside the reserved range. */
export const FAILURE = 1;

/** Whether an error is the other side's answer, not a failure to reach it. */
export function isAnswer(error: unknown): error is { readonly data: ErrorData } {
  return typeof error === 'object' && error !== null && 'data' in error && isErrorData(error.data);
}

/** The error of a request as ours; one that is no answer becomes `internal`. */
export function fromResponse(error: unknown): QuantscopeError {
  return isAnswer(error) ? QuantscopeError.fromData(error.data) : toQuantscopeError(error);
}

function isErrorData(value: unknown): value is ErrorData {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message, hint } = value as Readonly<Record<string, unknown>>;
  return typeof code === 'string' && code in ERROR_CODES && typeof message === 'string' && typeof hint === 'string';
}
