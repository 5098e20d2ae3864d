/** Two reports beside each other, layer by layer. Pure. */

import { decibelsOf, type Decibels, type Measured } from './measured';
import { outputFigures, outputName } from './outputs';
import type { LayerReport, Report, Status } from './report';

/** What both runs measured of one thing; `null` where a run did not. */
export interface Pair<T> {
  readonly a: T | null;
  readonly b: T | null;
}

export const LAYER_CHANGES = ['added', 'removed', 'status', 'error', 'none'] as const;
export type LayerChange = (typeof LAYER_CHANGES)[number];

export type Told = NonNullable<Decibels>;

/** Errors in dB, or what there is instead. */
export interface LayerComparison {
  readonly name: string;
  readonly op: string;
  /** `status` before `error`, where both changed. */
  readonly change: LayerChange;
  readonly status: Pair<Status>;
  readonly kernel: Pair<string>;
  readonly local: Pair<Told>;
  readonly accumulated: Pair<Told>;
  /** Microseconds of the int8 model. */
  readonly time: Pair<number>;
}

export interface Comparison {
  /** Where the runs differ in what was asked for; figures of runs on other data or machines do not compare. */
  readonly differences: readonly { readonly what: string; readonly a: string; readonly b: string }[];
  readonly outputs: readonly { readonly name: string; readonly sqnr: Pair<Told> }[];
  /** Percent, of int8. */
  readonly top1: Pair<number>;
  readonly agreement: Pair<number>;
  readonly bytes: Pair<number>;
  /** Time of int8 ÷ time of fp32. */
  readonly latencyRatio: Pair<number>;
  readonly counts: Readonly<Record<Status, Pair<number>>>;
  /** In the order of the second graph; layers that it lacks come last. */
  readonly layers: readonly LayerComparison[];
}

/** A smaller difference of an SQNR, in dB, is the same error. */
const SAME_DB = 0.05;

export function compareReports(a: Report, b: Report): Comparison {
  const ofA = byName(a.layers);
  const ofB = byName(b.layers);
  const names = [...ofB.keys(), ...[...ofA.keys()].filter((name) => !ofB.has(name))];
  return {
    differences: settings(a, b),
    outputs: outputsOf(a, b),
    top1: { a: a.accuracy?.top1?.int8 ?? null, b: b.accuracy?.top1?.int8 ?? null },
    agreement: { a: a.accuracy?.agreement ?? null, b: b.accuracy?.agreement ?? null },
    bytes: { a: a.quantized?.bytes ?? null, b: b.quantized?.bytes ?? null },
    latencyRatio: { a: latencyRatio(a), b: latencyRatio(b) },
    counts: {
      quantized: { a: a.counts.quantized, b: b.counts.quantized },
      float: { a: a.counts.float, b: b.counts.float },
      fallback: { a: a.counts.fallback, b: b.counts.fallback },
    },
    layers: names.map((name) => compareLayer(ofA.get(name), ofB.get(name))),
  };
}

/** Second minus first, infinite where one is without error; `null` where either tells none, 0 where both are alike. */
export function difference({ a, b }: Pair<Told>): number | null {
  if (a === null || b === null || a === 'incomparable' || b === 'incomparable') return null;
  return a === b ? 0 : numberOf(b) - numberOf(a);
}

const numberOf = (value: number | 'exact'): number => (value === 'exact' ? Infinity : value);

/** Whether an error is another than it was; that nothing can be compared any more is a change too. */
function changed(pair: Pair<Told>): boolean {
  const silent = [pair.a, pair.b].filter((value) => value === 'incomparable').length;
  return silent === 1 ? pair.a !== null && pair.b !== null : Math.abs(difference(pair) ?? 0) > SAME_DB;
}

function byName(layers: readonly LayerReport[]): Map<string, LayerReport> {
  return new Map(layers.map((layer) => [layer.name, layer]));
}

function compareLayer(a: LayerReport | undefined, b: LayerReport | undefined): LayerComparison {
  const { name, op } = (b ?? a)!;
  const pair = <T>(read: (layer: LayerReport) => T | null): Pair<T> => ({
    a: a === undefined ? null : read(a),
    b: b === undefined ? null : read(b),
  });
  const local = pair(({ local: error }) => decibelsOf(error));
  const accumulated = pair(({ accumulated: error }) => decibelsOf(error));
  const status = pair((layer) => layer.status);
  const kernel = pair((layer) => layer.kernel);
  const changeOf = (): LayerChange => {
    if (a === undefined) return 'added';
    if (b === undefined) return 'removed';
    if (status.a !== status.b || kernel.a !== kernel.b) return 'status';
    return [local, accumulated].some(changed) ? 'error' : 'none';
  };
  return { name, op, change: changeOf(), status, kernel, local, accumulated, time: pair(({ time }) => time.int8) };
}

/** Outputs and the parts that either run tells apart. */
function outputsOf(a: Report, b: Report): Comparison['outputs'] {
  const ofReport = (report: Report): ReadonlyMap<string, Measured> =>
    new Map([
      ...report.outputs.map(({ name, error }) => [name, error] as const),
      ...outputFigures(report).map((figure) => [outputName(figure), figure.error] as const),
    ]);
  const figures = new Map([a, b].map((report) => [report, ofReport(report)]));
  const names = new Set([b, a].flatMap((report) => [...figures.get(report)!.keys()]));
  const of = (report: Report, name: string): Decibels => decibelsOf(figures.get(report)!.get(name) ?? null);
  return [...names].map((name) => ({ name, sqnr: { a: of(a, name), b: of(b, name) } }));
}

function latencyRatio({ latency }: Report): number | null {
  return latency === undefined || latency === null ? null : latency.int8 / latency.fp32;
}

const SETTINGS: readonly (readonly [what: string, read: (report: Report) => string])[] = [
  ['model', ({ model }) => `${model.path} (${model.sha256.slice(0, 8)})`],
  ['backend', ({ backend }) => backend],
  ['mode', ({ mode }) => mode],
  ['format', ({ format }) => format],
  ['calibration', ({ calibration }) => calibration?.data ?? 'none'],
  ['observer', ({ calibration }) => calibration?.observer ?? 'none'],
  ['samples', ({ accuracy }) => String(accuracy?.samples ?? 0)],
  ['cpu', ({ environment }) => `${environment.cpu}, ${environment.isa}`],
  ['runtime', ({ environment }) => environment.runtime],
];

function settings(a: Report, b: Report): Comparison['differences'] {
  return SETTINGS.flatMap(([what, read]) => {
    const [first, second] = [read(a), read(b)];
    return first === second ? [] : [{ what, a: first, b: second }];
  });
}
