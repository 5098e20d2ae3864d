/**
 * The figures of a report in a few words each, as trees, status bar and notifications show them. What tells most comes
 * first, since a narrow side bar cuts the end. Pure.
 */

import { bytes, count, milliseconds, plural, signed, sizeChange } from '../shared/format';
import { outputName, worstOutput } from '../shared/outputs';
import type { LayerReport, Report, Status } from '../shared/report';
import { measuredText, sqnrOf } from '../shared/measured';
import { speedText, speedWords } from '../shared/speed';

export type FigureKind = 'accuracy' | 'size' | 'speed' | 'layers' | 'worst';

export interface Figure {
  readonly kind: FigureKind;
  readonly name: string;
  readonly value: string;
  /** The whole of it, where there is room. */
  readonly full?: string;
  /** The layer that it is about. */
  readonly layer?: string;
}

/** `96.7 → 94.3 %`; without labels how often both models say the same, without classes the error at the output. */
export function accuracyFigure(report: Report): Figure | undefined {
  const { top1 = null, agreement = null } = report.accuracy ?? {};
  if (top1 !== null)
    return { kind: 'accuracy', name: 'Top-1', value: `${top1.fp32.toFixed(1)} → ${top1.int8.toFixed(1)} %` };
  if (agreement !== null) return { kind: 'accuracy', name: 'Same class', value: `${agreement.toFixed(1)} %` };
  const worst = worstOutput(report);
  if (worst === undefined) return undefined;
  const value = measuredText(worst.error);
  const full = worst.part === null ? {} : { full: `${value} in ${outputName(worst)}` };
  return { kind: 'accuracy', name: 'Output SQNR', value, ...full };
}

function sizeFigure({ model, quantized }: Report): Figure | undefined {
  if (quantized === null || quantized.bytes === 0) return undefined;
  const { bytes: int8 } = quantized;
  const smaller = sizeChange(model.bytes, int8);
  return {
    kind: 'size',
    name: 'Size',
    value: `${smaller}, ${bytes(int8)}`,
    full: `${smaller}, ${bytes(model.bytes)} → ${bytes(int8)}`,
  };
}

function speedFigure({ latency }: Report): Figure | undefined {
  if (latency === undefined || latency === null) return undefined;
  const words = speedWords(latency);
  return {
    kind: 'speed',
    name: 'Speed',
    value: `${words}, ${milliseconds(latency.int8)}`,
    full: speedText(latency),
  };
}

const STATUS_WORDS: Readonly<Record<Status, string>> = { quantized: 'int8', fallback: 'fallback', float: 'float' };

export function countsText(counts: Report['counts']): string {
  return (Object.keys(STATUS_WORDS) as Status[])
    .filter((status) => counts[status] > 0 || status === 'quantized')
    .map((status) => `${count(counts[status])} ${STATUS_WORDS[status]}`)
    .join(', ');
}

/** All that a report measured of the whole model, the most telling first. */
export function figuresOf(report: Report): readonly Figure[] {
  const worst = worstLayer(report);
  const change = pointsOf(report);
  const accuracy = accuracyFigure(report);
  const figures: readonly (Figure | undefined)[] = [
    accuracy === undefined || change === undefined
      ? accuracy
      : { ...accuracy, value: `${accuracy.value}, ${signed(change)}` },
    sizeFigure(report),
    speedFigure(report),
    { kind: 'layers', name: 'Layers', value: countsText(report.counts) },
    worst === undefined
      ? undefined
      : { kind: 'worst', name: 'Worst layer', value: `${measuredText(worst.local)}, ${worst.name}`, layer: worst.name },
  ];
  return figures.filter((figure) => figure !== undefined);
}

function pointsOf({ accuracy }: Report): number | undefined {
  const top1 = accuracy?.top1 ?? null;
  return top1 === null ? undefined : top1.int8 - top1.fp32;
}

/** The quantized layer with the largest error of its own; `undefined` where none has any. */
export function worstLayer({ layers }: Report): LayerReport | undefined {
  const known = layers.map((layer) => ({ layer, sqnr: sqnrOf(layer.local) ?? Infinity }));
  const least = known.reduce((smallest, { sqnr }) => Math.min(smallest, sqnr), Infinity);
  return least === Infinity ? undefined : known.find(({ sqnr }) => sqnr === least)?.layer;
}

/** What a run is judged by, where there is room for one figure: `96.7 → 94.3 %`, `same class 98.5 %`; maybe empty. */
export function verdict(report: Report): string {
  const accuracy = accuracyFigure(report);
  if (accuracy === undefined) return '';
  const { name, value } = accuracy;
  return name === 'Top-1' ? value : name === 'Same class' ? `same class ${value}` : `output ${value}`;
}

/** What tells a run from others: `mse, 2 in float`. */
export function runSettings({ calibration, recipe }: Report): string {
  const float = (recipe.layers ?? []).filter(({ quantize }) => quantize === false).length;
  return [
    ...(calibration === null ? [] : [calibration.observer]),
    ...(float === 0 ? [] : [`${float} kept in float`]),
  ].join(', ');
}

/** One line: `96.7 → 94.3 %, 2.30× smaller, 1.80× as fast`. */
export function shortResult(report: Report): string {
  const { model, quantized, latency } = report;
  const judged = verdict(report);
  return [
    ...(judged === '' ? [] : [judged]),
    ...(quantized === null || quantized.bytes === 0 ? [] : [sizeChange(model.bytes, quantized.bytes)]),
    ...(latency === undefined || latency === null ? [] : [speedWords(latency)]),
  ].join(', ');
}

/** What came out of a run, as sentences. */
export function resultSentences(name: string, report: Report): string {
  const total = report.counts.quantized + report.counts.float + report.counts.fallback;
  const worst = worstLayer(report);
  const short = shortResult(report);
  return [
    `${name}: ${report.counts.quantized} of ${plural(total, 'layer')} in int8${short === '' ? '' : `, ${short}`}.`,
    ...(worst === undefined ? [] : [`Worst layer: ${worst.name}, ${measuredText(worst.local)}.`]),
    ...(report.calibration?.synthetic === true ? ['The data were synthetic: errors say little about real data.'] : []),
  ].join(' ');
}
