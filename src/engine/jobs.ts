/** The jobs of the core behind the protocol. Loads onnxruntime, so the engine imports it only when a job comes. */

import { benchmark } from '../core/benchmark/benchmark';
import { evaluate } from '../core/evaluate/evaluate';
import { inspectModel } from '../core/pipeline/inspect';
import { quantize } from '../core/pipeline/quantize';
import type { Handlers } from './server';

export const JOBS: Handlers = { inspect: inspectModel, quantize, evaluate, benchmark };
