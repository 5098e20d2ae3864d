/** The plan carried out: the int8 model in the modes and the format that the plan names, with its origin written in. */

import { create } from '@bufbuild/protobuf';
import type { Convention, Range } from '../calibrate/qparams';
import { StringStringEntryProtoSchema } from '../onnx/generated/onnx_pb';
import { shallow, type OnnxModel } from '../onnx/model';
import { isStatic, type Plan } from '../plan/types';
import { raiseBarriers } from './barrier';
import { Construction } from './construction';
import { convertDynamic } from './dynamic';
import { toQOperator } from './qoperator';
import { convertStatic } from './static';
import type { Conversion } from './types';
import { convertWeightOnly } from './weightOnly';

export interface Measured {
  /** Of the plan's activations; only static quantization reads them. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** Channel means by tensor, for bias correction; no correction without them. */
  readonly means?: ReadonlyMap<string, Float32Array>;
  readonly convention: Convention;
}

export interface ConvertInput extends Measured {
  readonly backend: string;
  /** What the model was made from, for whoever finds it later. */
  readonly source: string;
  /** Of this product. */
  readonly version: string;
}

/**
 * @param model the normalised fp32 model, which is not changed
 * @throws `plan-impossible` where a range is missing; for the format `qoperator` also `runtime-rejected`
 */
export async function convert(model: OnnxModel, plan: Plan, input: ConvertInput): Promise<Conversion> {
  const converted = toQdq(model, plan, input);
  // The other modes have one form only; the optimizer would just fuse their float operators.
  const asOperators = plan.format === 'qoperator' && plan.layers.some(isStatic);
  const conversion = asOperators ? await toQOperator(converted) : converted;
  const warnings = plan.layers.some((layer) => layer.quantize) ? [] : ['There is no layer to quantize in this mode.'];
  return {
    ...conversion,
    model: withOrigin(conversion.model, plan, input),
    warnings: [...conversion.warnings, ...warnings],
  };
}

/**
 * The int8 model with a QuantizeLinear and a DequantizeLinear around what is quantized beforehand, whatever the format
 * of the plan: other formats run the same kernels.
 * @throws `plan-impossible` where a range is missing
 */
export function toQdq(model: OnnxModel, plan: Plan, { ranges, means, convention }: Measured): Conversion {
  const construction = new Construction(model, plan, convention);
  // First: layers of the other modes read what static ones have made of their tensors.
  convertStatic(construction, ranges, means);
  convertDynamic(construction);
  convertWeightOnly(construction);
  raiseBarriers(construction);
  return construction.finish();
}

function withOrigin(model: OnnxModel, plan: Plan, { backend, source, version }: ConvertInput): OnnxModel {
  const { proto } = model;
  const { producerName, producerVersion } = proto;
  const entries: Readonly<Record<string, string>> = {
    'quantscope.backend': backend,
    'quantscope.mode': plan.mode,
    ...(plan.layers.some(isStatic) ? { 'quantscope.format': plan.format } : {}),
    'quantscope.source': source,
    'quantscope.source_producer': `${producerName} ${producerVersion}`.trim(),
  };
  const kept = proto.metadataProps.filter(({ key }) => !Object.hasOwn(entries, key));
  const added = Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
  return {
    ...model,
    proto: shallow(proto, {
      producerName: 'quantscope',
      producerVersion: version,
      metadataProps: [...kept, ...added],
    }),
  };
}
