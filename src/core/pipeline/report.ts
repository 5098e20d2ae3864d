/** The parts of a run put together into the report. Pure. */

import type { LayerReport, QuantParams, Report, TensorReport } from '../../shared/report';
import type { Analysis } from '../analyze/analyze';
import type { Range } from '../calibrate/qparams';
import type { TensorStats } from '../calibrate/histogram';
import type { Conversion } from '../convert/types';
import { identityOf } from './identity';
import type { ReasonCode } from '../../shared/reasons';
import { backendsFor } from '../plan/alternatives';
import type { ActivationPlan, PlannedLayer } from '../plan/types';
import type { Verification } from '../verify/verify';
import { toFloat32 } from '../tensor';
import { macsOf } from './macs';
import type { Prepared } from './prepare';

export interface LayerSources {
  readonly prepared: Prepared;
  readonly conversion: Conversion;
  readonly stats: ReadonlyMap<string, TensorStats>;
  readonly verification: Verification;
  readonly analysis: Analysis | undefined;
}

export function layerReports(sources: LayerSources): LayerReport[] {
  const { prepared, verification, analysis } = sources;
  return prepared.plan.layers.map((layer) => {
    const verdict = verification.verdicts.get(layer.name);
    const errors = analysis?.layers.get(layer.name);
    return {
      ...identityOf(layer),
      ...modeOf(layer, prepared),
      status: verdict?.status ?? (layer.quantize ? 'quantized' : 'float'),
      reason: verdict?.reason ?? null,
      kernel: verdict?.kernel ?? null,
      time: {
        int8: verification.int8?.layers.get(layer.name) ?? null,
        fp32: verification.fp32?.layers.get(layer.name) ?? null,
      },
      macs: macsOf(layer.node, prepared.graph, prepared.tensors),
      local: errors?.local ?? null,
      accumulated: errors?.accumulated ?? null,
      saturation: errors?.saturation ?? null,
      tensors: tensorReports(layer, sources),
      ...alternativesOf(layer, verdict?.reason ?? null, prepared),
    };
  });
}

function modeOf({ quantize, mode }: PlannedLayer, { plan }: Prepared): Pick<LayerReport, 'mode'> {
  return quantize && mode !== plan.mode ? { mode } : {};
}

function tensorReports(layer: PlannedLayer, sources: LayerSources): TensorReport[] {
  const { graph } = sources.prepared;
  const inputs = layer.node.input.filter((name) => name !== '' && !graph.isConstant(name));
  return [
    ...inputs.map((name) => activationReport(name, 'input', sources)),
    ...weightReports(layer, sources),
    ...layer.outputs.map((name) => activationReport(name, 'output', sources)),
  ];
}

function activationReport(
  name: string,
  role: 'input' | 'output',
  { prepared, conversion, stats }: LayerSources,
): TensorReport {
  const measured = stats.get(name);
  const activation = conversion.activations.get(name);
  return {
    name,
    shape: prepared.tensors.get(name)?.shape ?? [],
    role,
    observed: measured === undefined || measured.count === 0 ? null : { min: measured.min, max: measured.max },
    range: activation?.range ?? null,
    quantization:
      activation === undefined
        ? null
        : { type: activation.type, scale: [activation.scale], zeroPoint: [activation.zeroPoint], axis: null },
    ...choiceOf(prepared.plan.activations.get(name)),
  };
}

function choiceOf(plan: ActivationPlan | undefined): Pick<TensorReport, 'chosenBy'> {
  if (plan === undefined) return {};
  const { observer, percentile, qmin, qmax, symmetric, fixedRange } = plan;
  return { chosenBy: { observer: fixedRange === undefined ? observer : null, percentile, qmin, qmax, symmetric } };
}

function alternativesOf(
  { node }: PlannedLayer,
  reason: ReasonCode | null,
  { graph, tensors, backend }: Prepared,
): Pick<LayerReport, 'alternatives'> {
  if (reason === null || !WANTS_KERNEL.has(reason)) return {};
  const others = backendsFor(node, graph, tensors).filter((id) => id !== backend.id);
  return others.length === 0 ? {} : { alternatives: others };
}

/** Reasons that another backend may not have. */
const WANTS_KERNEL: ReadonlySet<ReasonCode> = new Set(['op-not-supported', 'shape-dynamic']);

function weightReports(layer: PlannedLayer, { prepared, conversion }: LayerSources): TensorReport[] {
  const { graph } = prepared;
  const quantized = conversion.weights.get(layer.name);
  return layer.node.input.flatMap((name): TensorReport[] => {
    const proto = name === '' ? undefined : graph.initializer(name);
    // Scalars and shapes are parameters of the operator, not weights.
    if (proto === undefined || proto.dims.length === 0) return [];
    const weight = [quantized, quantized?.recurrence].find((candidate) => candidate?.tensor === name);
    const isWeight = weight !== undefined;
    const isBias = layer.bias === name;
    if (!isWeight && !isBias) return [];
    const quantization: QuantParams | null = isWeight
      ? {
          type: weight.type,
          scale: [...weight.scales],
          zeroPoint: [...weight.zeroPoints],
          axis: weight.axis,
        }
      : null;
    const span = spanOf(toFloat32(graph.constant(name) ?? { type: 'float32', dims: [0], data: new Float32Array(0) }));
    return [
      {
        name,
        shape: proto.dims.map(Number),
        role: isBias ? 'bias' : 'weight',
        observed: span,
        range: span,
        quantization,
      },
    ];
  });
}

function spanOf(values: Float32Array): Range | null {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? null : { min, max };
}

const RUNS_NO_KERNEL: ReadonlySet<ReasonCode | null> = new Set<ReasonCode>(['merged', 'no-op']);

/** Of the layers that run a kernel, be it that of a neighbour in int8. */
export function countByStatus(layers: readonly LayerReport[]): Report['counts'] {
  const counts = { quantized: 0, float: 0, fallback: 0 };
  for (const { status, reason } of layers) if (!RUNS_NO_KERNEL.has(reason)) counts[status]++;
  return counts;
}
