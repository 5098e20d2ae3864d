/** What the runtime really did with the int8 model, and how long it took. */

import { throwIfCancelled } from '../../shared/errors';
import type { Conversion } from '../convert/types';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { Plan } from '../plan/types';
import { optimizedModel } from '../runtime/deployed';
import { profileKernels } from '../runtime/inspect';
import type { Feeds } from '../runtime/session';
import { assertFloatKept, deviations } from './deviations';
import { classify, findKernels, type Verdict } from './kernels';
import { timesByLayer, type LayerTimes } from './times';

const DEFAULT_RUNS = 10;

export interface Verification {
  /** By layer name; every layer of the plan. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** `null` without a sample to run. */
  readonly int8: LayerTimes | null;
  readonly fp32: LayerTimes | null;
}

export interface VerifyOptions {
  /** The normalised fp32 model. */
  readonly fp32: OnnxModel;
  readonly conversion: Conversion;
  readonly plan: Plan;
  /** One sample to profile both models with; no times without it. */
  readonly feeds?: Feeds;
  readonly threads: number;
  /** Timed runs after one warm-up. */
  readonly runs?: number;
  readonly signal?: AbortSignal;
}

/** @throws `float-not-kept`, `runtime-rejected`, `custom-op`, `runtime-failed`, `cancelled` */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const verdicts = await verdictsOf(options.plan, options.conversion, new Graph(options.fp32));
  throwIfCancelled(options.signal);
  return { verdicts, ...(await kernelTimes(options)) };
}

/** @throws `float-not-kept` where a layer planned float is not, `runtime-rejected`, `custom-op` */
export async function verdictsOf(plan: Plan, conversion: Conversion, fp32: Graph): Promise<Map<string, Verdict>> {
  const optimized = new Graph(await optimizedModel(conversion.model, 'extended'));
  assertFloatKept(deviations(plan, conversion, optimized, fp32));
  return classify(plan, findKernels(plan, conversion, optimized));
}

/** @throws `runtime-rejected`, `custom-op`, `runtime-failed`, `cancelled` */
export async function kernelTimes(options: VerifyOptions): Promise<Pick<Verification, 'int8' | 'fp32'>> {
  const { fp32, conversion, feeds, signal } = options;
  if (feeds === undefined) return { int8: null, fp32: null };
  const int8 = await profile(conversion.model, feeds, options);
  throwIfCancelled(signal);
  return { int8, fp32: await profile(fp32, feeds, options) };
}

/** At level `all`, as the model is deployed. */
async function profile(model: OnnxModel, feeds: Feeds, options: VerifyOptions): Promise<LayerTimes> {
  const { plan, conversion, threads, runs = DEFAULT_RUNS } = options;
  const optimized = await optimizedModel(model, 'all');
  const times = await profileKernels(optimized, feeds, { level: 'disabled', runs, threads });
  return timesByLayer(plan, conversion, new Graph(optimized), times);
}
