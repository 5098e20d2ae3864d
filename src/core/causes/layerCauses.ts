/** Gathers what the causes of each layer are told from. */

import type { Cause } from '../../shared/causes';
import { SMOOTHING } from '../../shared/recipeValues';
import type { Report } from '../../shared/report';
import type { TensorStats } from '../calibrate/histogram';
import { channelRanges } from '../calibrate/qparams';
import { equalizationOf } from '../normalize/equalize';
import { smoothableTensors, smoothingOf } from '../normalize/smooth';
import { splittableConcats } from '../normalize/splitConcat';
import type { Prepared } from '../pipeline/prepare';
import type { PlannedLayer } from '../plan/types';
import { toFloat32 } from '../tensor';
import { causesOf } from './causes';
import { channelAxisOf, channelPeaks, type ChannelTensor, type SampleExtremes } from './extremes';

export interface CauseSources {
  readonly prepared: Prepared;
  readonly stats: ReadonlyMap<string, TensorStats>;
  readonly report: Report;
  readonly extremes: SampleExtremes;
}

/** The float tensors that int8 layers read or write, of known rank. */
export function measuredActivations({ plan, tensors, graph }: Prepared): ChannelTensor[] {
  return [...plan.activations.keys()].flatMap((name) => {
    const info = tensors.get(name);
    const rank = info?.shape.length ?? 0;
    const isMeasured = info?.type === 'float32' && rank > 0 && !graph.isConstant(name);
    return isMeasured ? [{ name, rank, axis: channelAxisOf(graph, name, rank) }] : [];
  });
}

/** By layer; only layers in int8. */
export function layerCauses({ prepared, stats, report, extremes }: CauseSources): Map<string, Cause[]> {
  const { plan, graph } = prepared;
  const scales = new Map(
    equalizationOf(prepared.model).flatMap(({ tensors, scales: s }) => tensors.map((tensor) => [tensor, s] as const)),
  );
  const peaks = new Map(smoothableTensors(prepared.model).map((tensor) => [tensor, channelPeaks(extremes, tensor)]));
  const smoothings = SMOOTHING.map((strength) => {
    const smoothed = smoothingOf(prepared.model, peaks, strength);
    return { strength, scales: new Map(smoothed.map(({ tensor, scales: s }) => [tensor, s])) };
  });
  const split = new Set(splittableConcats(graph, prepared.tensors).map(({ concat }) => concat));
  const quantized = plan.layers.filter(({ quantize }) => quantize);
  const causes = quantized.flatMap((layer) => {
    const row = report.layers.find(({ name }) => name === layer.name);
    if (row === undefined) return [];
    const readers = quantized.filter(({ inputs }) => inputs.some((name) => layer.outputs.includes(name)));
    const found = causesOf({
      report: row,
      extremes,
      weights: weightPeaks(layer, graph),
      readers: readers.map(({ name }) => name),
      producerOf: (tensor) => quantized.find(({ outputs }) => outputs.includes(tensor))?.name,
      equalizing: (tensor) => scales.get(tensor),
      smoothing: (tensor) =>
        smoothings.flatMap(({ strength, scales: s }) => {
          const found = s.get(tensor);
          return found === undefined ? [] : [{ strength, scales: found }];
        }),
      splittable: split.has(layer.name),
      beyond: (tensor, magnitude) => beyond(stats.get(tensor), magnitude),
    });
    return [[layer.name, found] as const];
  });
  return new Map(causes);
}

/** Of each output channel, also where the plan gives all of them one scale. */
function weightPeaks({ node, weight, mode }: PlannedLayer, graph: Prepared['graph']): number[] {
  const constant = weight === null ? undefined : graph.constant(weight.tensor);
  if (weight === null || constant === undefined || mode !== 'static') return [];
  const axis = weight.axis ?? (node.opType === 'MatMul' ? constant.dims.length - 1 : 0);
  return channelRanges(toFloat32(constant), constant.dims, axis).map(({ min, max }) => Math.max(max, -min));
}

function beyond(stats: TensorStats | undefined, magnitude: number): { values: number; of: number } {
  if (stats === undefined || stats.count === 0) return { values: 0, of: 0 };
  const { positive, negative } = stats.bins();
  let values = 0;
  for (let slot = stats.slotOf(magnitude) + 1; slot < positive.length; slot++) {
    values += positive[slot]! + (negative?.[slot] ?? 0);
  }
  return { values, of: stats.count };
}
