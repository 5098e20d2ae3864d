/** A report as the layer view asks for it: figures, pages of rows, and one layer. Pure. */

import { QuantscopeError } from '../../shared/errors';
import { comparedOf, decibelsOf } from '../../shared/measured';
import { outputFigures, outputName, worstOutput } from '../../shared/outputs';
import type { LayerReport, Report, TensorReport } from '../../shared/report';
import {
  PAGE_ROWS,
  SOURCE_KINDS,
  type LayerFacts,
  type MeasureColumns,
  type ReportFacts,
  type RowPage,
  type RunFacts,
  type TensorFacts,
} from '../../shared/viewFacts';
import {
  blameColumns,
  blameFacts,
  culpritsFacts,
  fixFacts,
  layerIndex,
  offeredFixes,
  pricesFacts,
  speedFacts,
} from './findingsView';
import type { Subject } from './subject';
import { kernelName } from '../../shared/reportText';

/** How many warnings travel; the report holds all. */
const MOST_WARNINGS = 100;

export function reportFacts(subject: Subject): ReportFacts {
  const { report, base, found } = subject;
  const index = layerIndex(report);
  return {
    id: reportId(subject),
    layers: report.layers.length,
    run: runFacts(report),
    base: base === undefined ? null : { ...runFacts(base.report), relation: base.relation },
    warnings: report.warnings.slice(0, MOST_WARNINGS),
    culprits: found.culprits === undefined ? null : culpritsFacts(found.culprits),
    fixes: fixFacts(offeredFixes(subject, null), subject),
    prices: pricesFacts(subject, index),
    speed: speedFacts(report, found, index),
    asks: report.framework === 'onnx',
  };
}

/** Another report, another one to compare with or another reason to, or something found out or left to is another id. */
export function reportId({ report, base, found, planned, stamp }: Subject): string {
  const compared = base === undefined ? [] : [base.relation, base.report.created];
  return [report.created, report.model.sha256, ...compared, found.stamp, planned.length, stamp].join(' ');
}

export function runFacts(report: Report): RunFacts {
  const { created, backend, mode, calibration, accuracy, counts, model, quantized } = report;
  return {
    created,
    backend,
    mode,
    calibration:
      calibration === null
        ? null
        : { observer: calibration.observer, samples: calibration.samples, synthetic: calibration.synthetic },
    accuracy,
    maybeClasses: report.maybeClasses ?? [],
    bytes: { fp32: model.bytes, int8: quantized?.bytes ?? null },
    latency: report.latency ?? null,
    counts,
    shapeComputations: report.shapeComputations ?? 0,
    output: outputFacts(report),
  };
}

function outputFacts(report: Report): RunFacts['output'] {
  const worst = worstOutput(report);
  if (worst === undefined) return null;
  const parts = outputFigures(report).filter(({ part }) => part !== null);
  return {
    name: outputName(worst),
    sqnr: decibelsOf(worst.error),
    parts: parts.map((figure) => ({ name: outputName(figure), sqnr: decibelsOf(figure.error) })),
  };
}

/** The rows from `start` on, beside those of the same names in the base. */
export function rowPage({ report, base, found }: Subject, start: number): RowPage {
  const rows = report.layers.slice(start, start + PAGE_ROWS);
  const known = base === undefined ? undefined : new Map(base.report.layers.map((layer) => [layer.name, layer]));
  const then = rows.map(({ name }) => known?.get(name));
  return {
    start,
    name: rows.map(({ name }) => name),
    op: rows.map(({ op, fused }) => [op, ...fused].join('+')),
    scope: rows.map(({ scope }) => scope),
    status: rows.map(({ status }) => status),
    kernel: rows.map(kernelName),
    reason: rows.map(({ reason }) => reason),
    macs: rows.map(({ macs }) => macs),
    blame: blameColumns(
      found.culprits,
      rows.map(({ name }) => name),
    ),
    ...measuresOf(rows),
    base: known === undefined ? null : { status: then.map((layer) => layer?.status ?? null), ...measuresOf(then) },
  };
}

function measuresOf(layers: readonly (LayerReport | undefined)[]): MeasureColumns {
  return {
    local: layers.map((layer) => decibelsOf(layer?.local)),
    accumulated: layers.map((layer) => decibelsOf(layer?.accumulated)),
    int8: layers.map((layer) => layer?.time.int8 ?? null),
    fp32: layers.map((layer) => layer?.time.fp32 ?? null),
  };
}

/** @throws `internal` for a layer that the report has not */
export function layerAt(report: Report, index: number): LayerReport {
  const layer = report.layers[index];
  if (layer === undefined) {
    throw new QuantscopeError('internal', `The report has no layer ${index}, only ${report.layers.length}.`);
  }
  return layer;
}

export function layerFacts(subject: Subject, index: number): LayerFacts {
  const { report, found } = subject;
  const { name, nodes, accumulated, saturation, tensors, source } = layerAt(report, index);
  const fixes = offeredFixes(subject, name);
  const worst = comparedOf(accumulated)?.worst ?? null;
  return {
    layer: index,
    nodes,
    worst: worst === null ? null : { sample: worst.sample, sqnr: worst.sqnr ?? 'exact' },
    saturation,
    tensors: tensors.map(tensorFacts),
    fixes: fixFacts(fixes, subject),
    blame: blameFacts(found.culprits, name),
    places: SOURCE_KINDS.flatMap((kind) => {
      const place = source?.[kind];
      return place === undefined ? [] : [{ kind, text: `${place.file.split(/[\\/]/).at(-1) ?? ''}:${place.line}` }];
    }),
  };
}

function tensorFacts({ name, shape, role, observed, range, quantization }: TensorReport): TensorFacts {
  return {
    name,
    shape,
    role,
    observed,
    range,
    quantization:
      quantization === null
        ? null
        : {
            type: quantization.type,
            channels: quantization.scale.length,
            scale: span(quantization.scale),
            zeroPoint: span(quantization.zeroPoint),
          },
  };
}

/** A weight may have more channels than arguments fit a call. */
function span(values: readonly number[]): readonly [number, number] {
  return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
}
