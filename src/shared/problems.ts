/** The layers of a report that a person should look at, and how they are told of, in whichever file. Pure. */

import { measuredText, sqnrOf as errorOf } from './measured';
import { REASONS } from './reasons';
import type { LayerReport, Report } from './report';

/** Worst first: low SQNR, then fallbacks by their work. */
export function worstLayers({ layers }: Report, threshold: number): readonly LayerReport[] {
  const low = layers
    .filter((layer) => layer.status === 'quantized' && sqnrOf(layer) < threshold)
    .toSorted((a, b) => sqnrOf(a) - sqnrOf(b));
  const fallbacks = layers.filter(({ status }) => status === 'fallback').toSorted((a, b) => costOf(b) - costOf(a));
  return [...low, ...fallbacks];
}

/** The error that the layer makes itself; where that was not measured, what has gathered. */
function sqnrOf({ local, accumulated }: LayerReport): number {
  return errorOf(local ?? accumulated) ?? Infinity;
}

function costOf({ macs, time }: LayerReport): number {
  return time.int8 ?? macs;
}

/** What is wrong with a layer, as it goes on behind its name. */
export function layerSentence(layer: LayerReport, threshold: number): string {
  const { op, fused, status, reason } = layer;
  const operator = `(${[op, ...fused].join(' + ')})`;
  if (status !== 'fallback') return `${operator} ${sqnrText(layer, threshold)}`;
  const why = reason === null ? '' : ` ${REASONS[reason].sentence}`;
  return `${operator} was to run in int8 and runs in float.${why}`;
}

function sqnrText({ local, accumulated }: LayerReport, threshold: number): string {
  const gathered = accumulated === null ? '' : `, ${measuredText(accumulated)} accumulated`;
  return local === null
    ? `has ${measuredText(accumulated)} accumulated SQNR, below ${threshold} dB.`
    : `has ${measuredText(local)} SQNR of its own${gathered}: below ${threshold} dB.`;
}

/** The figure of {@link layerSentence} alone: `12.1 dB`, `in float`. */
export function layerFigure(layer: LayerReport): string {
  return layer.status === 'fallback' ? 'in float' : measuredText(layer.local ?? layer.accumulated);
}
