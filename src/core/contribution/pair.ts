import type { Range } from '../calibrate/qparams';
import { mergeMatMulBias } from '../convert/matMulBias';
import { convertStatic } from '../convert/static';
import { Graph } from '../onnx/graph';
import type { Prepared } from '../pipeline/prepare';
import type { Pair } from './layerVariants';

/**
 * The fp32 model beside its int8 form, always as QDQ: other formats run the same kernels.
 * @throws `plan-impossible` where a range is missing
 */
export function pairOf(
  { model, plan, backend, tensors }: Prepared,
  ranges: ReadonlyMap<string, Range>,
  means: ReadonlyMap<string, Float32Array>,
): Pair {
  const merged = mergeMatMulBias(model, plan);
  const conversion = convertStatic(merged.model, merged.plan, ranges, backend.convention, means);
  return {
    plan: merged.plan,
    conversion,
    tensors,
    fp32Model: merged.model,
    int8Model: conversion.model,
    fp32: new Graph(merged.model),
    int8: new Graph(conversion.model),
  };
}
