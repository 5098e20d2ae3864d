import type { Range } from '../calibrate/qparams';
import { toQdq } from '../convert/convert';
import { Graph } from '../onnx/graph';
import type { Prepared } from '../pipeline/prepare';
import type { Pair } from './layerVariants';

/**
 * The fp32 model beside its int8 form, always as QDQ: other formats run the same kernels.
 * @throws `plan-impossible` where a range is missing
 */
export function pairOf(
  { model, graph, plan, backend, tensors }: Prepared,
  ranges: ReadonlyMap<string, Range>,
  means: ReadonlyMap<string, Float32Array>,
): Pair {
  const conversion = toQdq(model, plan, { ranges, means, convention: backend.convention });
  const int8Model = conversion.model;
  return { plan, conversion, tensors, fp32Model: model, int8Model, fp32: graph, int8: new Graph(int8Model) };
}
