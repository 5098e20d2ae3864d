/** What the tools answer: small documents, paged where they may be long. Pure. */

import type { Benchmark } from '../benchmark';
import { priceOf } from '../findings';
import { changeKey } from '../fixes';
import { checkGates } from '../gates';
import { layerFixes } from '../layerFixes';
import { sortLayers, type Sort } from '../layerOrder';
import { comparedOf, decibelsOf, type Decibels } from '../measured';
import { outputFigures, outputName, worstOutput } from '../outputs';
import type { PricedFix, Prices } from '../price';
import { priceText } from '../priceText';
import { REASONS } from '../reasons';
import type { LayerReport, Report } from '../report';
import { speedText } from '../speed';
import type { Tuning } from '../tuning';
import type { Culprits } from '../verdicts';

/** Three digits are what the measurements are worth, and what an agent can compare. */
function round(value: number | null | undefined): number | null {
  return value === null || value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(3));
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

/** @param page offsets count from 0 */
export function layersAnswer(report: Report, sort: Sort, { offset, limit }: Page): object {
  const sorted = sortLayers(report.layers, sort);
  const end = Math.min(sorted.length, offset + limit);
  return {
    total: sorted.length,
    counts: report.counts,
    layers: sorted.slice(offset, end).map(rowOf),
    ...(end < sorted.length ? { nextOffset: end } : {}),
  };
}

function rowOf({ name, op, status, mode, reason, local, accumulated, time }: LayerReport): object {
  return {
    ...{ name, op, status },
    ...(mode === undefined ? {} : { mode }),
    ...(reason === null ? {} : { reason }),
    localSqnr: toldDecibels(local),
    accumulatedSqnr: toldDecibels(accumulated),
    int8Microseconds: round(time.int8),
    fp32Microseconds: round(time.fp32),
  };
}

/** `null` where nothing was measured. */
function toldDecibels(error: LayerReport['local'] | undefined): Decibels {
  const value = decibelsOf(error);
  return typeof value === 'number' ? round(value) : value;
}

/** `undefined` for a layer that the report lacks. Of fixes that were tried, what each brings and costs. */
export function layerAnswer(
  report: Report,
  culprits: Culprits | undefined,
  prices: Prices | undefined,
  name: string,
): object | undefined {
  const layer = report.layers.find((other) => other.name === name);
  if (layer === undefined) return undefined;
  const verdict = culprits?.layers.find((other) => other.layer === name);
  return {
    ...rowOf(layer),
    kernel: layer.kernel,
    fused: layer.fused,
    macs: layer.macs,
    saturation: round(layer.saturation),
    worstSample: comparedOf(layer.accumulated)?.worst.sample ?? null,
    ...(layer.reason === null ? {} : { why: REASONS[layer.reason].sentence, advice: REASONS[layer.reason].advice }),
    ...(verdict === undefined ? {} : { verdict: verdict.verdict, because: verdict.why, share: round(verdict.share) }),
    tensors: layer.tensors.map(({ name: tensor, role, observed, range, quantization }) => ({
      ...{ name: tensor, role },
      observed: observed === null ? null : [round(observed.min), round(observed.max)],
      range: range === null ? null : [round(range.min), round(range.max)],
      type: quantization?.type ?? 'float32',
      scales: quantization?.scale.length ?? 0,
    })),
    ...(verdict === undefined || verdict.causes.length === 0
      ? {}
      : { causes: verdict.causes.map(({ kind, sentence }) => ({ kind, sentence })) }),
    fixes: layerFixes(report, culprits, name, prices).map(({ title, detail, change }) => ({
      ...{ title, detail, change },
      price: toldPrice(priceOf(prices, changeKey(change))),
    })),
  };
}

export function runAnswer(report: Report, file: string): object {
  const worst = worstOutput(report);
  const parts = outputFigures(report).filter(({ part }) => part !== null);
  const gates = checkGates(report);
  return {
    report: file,
    model: report.quantized?.path ?? null,
    counts: report.counts,
    output: worst === undefined ? null : { name: outputName(worst), sqnr: toldDecibels(worst.error) },
    ...(parts.length === 0
      ? {}
      : { parts: parts.map((figure) => ({ name: outputName(figure), sqnr: toldDecibels(figure.error) })) }),
    accuracy: report.accuracy,
    ...(report.maybeClasses === undefined ? {} : { maybeClasses: report.maybeClasses }),
    bytes: { fp32: report.model.bytes, int8: report.quantized?.bytes ?? null },
    ...speedAnswer(report),
    gates: gates.map(({ gate, passed, message }) => ({ gate, passed, message })),
    warnings: report.warnings.slice(0, 5),
  };
}

/** The times of one inference in milliseconds, and what follows from them. */
function speedAnswer({ latency = null }: Report): object {
  if (latency === null) return { milliseconds: null, speed: null };
  return { milliseconds: { fp32: round(latency.fp32), int8: round(latency.int8) }, speed: speedText(latency) };
}

/** `null`: not tried yet. */
function toldPrice(priced: Pick<PricedFix, 'price' | 'why'> | undefined): string | null {
  if (priced === undefined) return null;
  return priced.price === null ? `not possible: ${priced.why ?? ''}` : priceText(priced.price);
}

export function pricesAnswer({ fixes, samples, start }: Prices): object {
  return {
    samples,
    start: { ...start, sqnr: round(start.sqnr) },
    fixes: fixes.map((priced) => ({
      ...{ title: priced.fix.title, layer: priced.layer, change: priced.fix.change },
      price: toldPrice(priced),
    })),
  };
}

export function tuneAnswer({ best, start, points, complete, seconds }: Tuning, recipe: string): object {
  const figures = ({ sqnr, top1, agreement, macs, latencyRatio, reached }: Tuning['best']): object => ({
    ...{ reached, top1, agreement },
    sqnr: round(sqnr),
    int8MultiplyAdds: round(macs),
    timeRatio: round(latencyRatio),
  });
  return {
    ...{ complete, tried: points.length, seconds: round(seconds) },
    start: figures(start),
    best: { ...figures(best), changes: best.changes },
    recipe,
  };
}

/** Milliseconds. */
export function benchmarkAnswer({ entries, threads, runs }: Benchmark): object {
  const rows = entries.map(({ model, median, p95, ratio, bytes }) => ({
    model,
    ...{ median: round(median), p95: round(p95), timesFaster: round(ratio) },
    bytes,
  }));
  return { threads, runs, models: rows };
}
