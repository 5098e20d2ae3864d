/** The jobs of the core behind the protocol. Loads onnxruntime, so the engine imports it only when a job comes. */

import { benchmark } from '../core/benchmark/benchmark';
import { evaluate } from '../core/evaluate/evaluate';
import { findCulprits } from '../core/pipeline/culprits';
import { DetailsReader } from '../core/pipeline/details';
import { inspectModel } from '../core/pipeline/inspect';
import { quantize } from '../core/pipeline/quantize';
import { priceFixes } from '../core/tune/prices';
import { tune } from '../core/tune/tune';
import { benchmarkTorch, isTorchBenchmark } from '../torch/benchmark';
import { inspectTorch } from '../torch/inspect';
import { quantizeTorch } from '../torch/quantize';
import { exportOnnx } from '../torch/toOnnx';
import type { Handlers } from './server';

const details = new DetailsReader();

export const JOBS: Handlers = {
  inspect: (input, context) => (input.recipe?.framework === 'torch' ? inspectTorch : inspectModel)(input, context),
  quantize: (job, context) => (job.recipe.framework === 'torch' ? quantizeTorch : quantize)(job, context),
  evaluate,
  benchmark: (input, context) => (isTorchBenchmark(input) ? benchmarkTorch : benchmark)(input, context),
  details: (input, context) => details.read(input, context),
  culprits: findCulprits,
  prices: priceFixes,
  tune: (input, context) =>
    tune(input, {
      ...context,
      onPoint: (tuning) => {
        context.onProgress({ stage: 'tune', done: tuning.points.length, total: tuning.trials, tuning });
      },
    }),
  exportOnnx,
};
