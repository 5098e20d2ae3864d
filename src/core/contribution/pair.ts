import type { Range } from '../calibrate/qparams';
import { toQdq } from '../convert/convert';
import { Graph } from '../onnx/graph';
import type { Prepared } from '../pipeline/prepare';
import { settle } from '../pipeline/settle';
import type { Concessions } from '../plan/types';
import type { Pair } from './layerVariants';

/**
 * The fp32 model beside its int8 form by the plan that a run comes to, always as QDQ: other formats run the same kernels.
 * @param concessions what is known of the plan already, above all of kernels that only a run finds to reject a layer
 * @throws `plan-impossible` where a range is missing
 */
export async function pairOf(
  prepared: Prepared,
  ranges: ReadonlyMap<string, Range>,
  means: ReadonlyMap<string, Float32Array>,
  concessions: Concessions = new Map(),
): Promise<Pair> {
  const { model, graph, backend, tensors } = prepared;
  const { convention } = backend;
  const settled = await settle(prepared, {
    convert: (plan) => Promise.resolve(toQdq(model, plan, { ranges, means, convention })),
    use: () => Promise.resolve(),
    concessions,
  });
  const { conversion } = settled;
  const int8Model = conversion.model;
  const { plan } = settled.prepared;
  return { plan, conversion, tensors, fp32Model: model, int8Model, fp32: graph, int8: new Graph(int8Model) };
}
