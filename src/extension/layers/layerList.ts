/** The layers of a report or of a look at a model, as the tree shows them. Pure. */

import { decibels, number3, printable, shape } from '../../shared/format';
import { priceOf } from '../../shared/findings';
import { changeKey } from '../../shared/fixes';
import { plannedStatus, type Inspection } from '../../shared/inspection';
import { judge } from '../../shared/judgement';
import { layerFixes } from '../../shared/layerFixes';
import type { Prices } from '../../shared/price';
import { briefPrice } from '../../shared/priceText';
import type { ReasonCode } from '../../shared/reasons';
import type { Report, SourceLine, Status, TensorReport } from '../../shared/report';
import type { Culprits, LayerVerdict } from '../../shared/verdicts';
import { kernelName } from '../../shared/reportText';
import type { FoundOut } from '../findings/read';
import { placeOf } from '../python/sourceProblems';
import { measuredText, sqnrOf } from '../../shared/measured';

/** A tensor of a report as it is, or of a look at a model, which knows its type alone. */
export interface ListedTensor extends Pick<TensorReport, 'name' | 'role' | 'shape'> {
  readonly type?: string;
  readonly quantization?: TensorReport['quantization'];
  readonly observed?: TensorReport['observed'];
  readonly range?: TensorReport['range'];
}

export interface ListedLayer {
  readonly name: string;
  /** With what is fused: `Conv+Relu`. */
  readonly op: string;
  readonly scope: string;
  readonly status: Status;
  readonly reason: ReasonCode | null;
  readonly kernel: string | null;
  /** In dB; Infinity for no error, `undefined` where none is known. */
  readonly local: number | undefined;
  /** In words; empty where it was not measured. */
  readonly localText: string;
  readonly accumulatedText: string;
  /** What makes its error, where somebody has asked. */
  readonly blame?: Pick<LayerVerdict, 'verdict' | 'why'>;
  /** The fix that was measured to bring most, in a few words. */
  readonly remedy?: { readonly title: string; readonly price: string };
  readonly tensors: readonly ListedTensor[];
  /** The line of Python that it comes from. */
  readonly place: SourceLine | undefined;
}

export function layersOfReport(report: Report, { culprits, prices }: Partial<FoundOut> = {}): ListedLayer[] {
  const verdicts = new Map(culprits?.layers.map((verdict) => [verdict.layer, verdict]));
  return report.layers.map((layer) => {
    const { name, op, fused, local, accumulated } = layer;
    const found = verdicts.get(name);
    const remedy = prices === undefined ? undefined : remedyOf(report, name, culprits, prices);
    return {
      name,
      op: fused.length === 0 ? op : [op, ...fused].join('+'),
      scope: layer.scope,
      status: layer.status,
      reason: layer.reason,
      kernel: kernelName(layer),
      local: sqnrOf(local),
      localText: local === null ? '' : measuredText(local),
      accumulatedText: accumulated === null ? '' : measuredText(accumulated),
      ...(found === undefined ? {} : { blame: { verdict: found.verdict, why: found.why } }),
      ...(remedy === undefined ? {} : { remedy }),
      tensors: layer.tensors,
      place: placeOf(layer),
    };
  });
}

/** What was tried of the fixes of one layer, if it helps. */
function remedyOf(
  report: Report,
  name: string,
  culprits: Culprits | undefined,
  prices: Prices,
): ListedLayer['remedy'] | undefined {
  // Few were tried, and a model may have thousands of layers.
  if (!prices.fixes.some(({ layer }) => layer === name)) return undefined;
  const [first] = layerFixes(report, culprits, name, prices);
  const priced = first === undefined ? undefined : priceOf(prices, changeKey(first.change));
  return first === undefined || judge(priced) !== 'better'
    ? undefined
    : { title: first.title, price: briefPrice(priced) };
}

export function layersOfInspection({ layers }: Inspection): ListedLayer[] {
  return layers.map((layer) => ({
    name: layer.name,
    op: [layer.op, ...layer.fused].join('+'),
    scope: layer.scope,
    status: plannedStatus(layer),
    reason: layer.reason,
    ...{ kernel: null, local: undefined, localText: '', accumulatedText: '', place: placeOf(layer) },
    tensors: (['input', 'output'] as const).flatMap((role) =>
      layer[`${role}s`].map(({ name, shape: dims, type }) => ({ name, role, shape: dims, type })),
    ),
  }));
}

/** `17.2 dB`; `exact`; empty where nothing was measured. */
export function errorText(value: number | undefined): string {
  return value === undefined ? '' : decibels(value === Infinity ? null : value);
}

/** Shape, type, scale, zero point, range: what is known, in a line. */
export function tensorFacts({ shape: dims, type = 'float', quantization, range, observed }: ListedTensor): string {
  const span = range ?? observed ?? null;
  return [
    shape(dims),
    ...(quantization === null || quantization === undefined
      ? [printable(type)]
      : [
          quantization.type,
          ...(quantization.scale.length > 1 ? [`${quantization.scale.length} channels`] : []),
          `s ${spanText(quantization.scale)}`,
          `zp ${spanText(quantization.zeroPoint)}`,
        ]),
    ...(span === null ? [] : [`[${number3(span.min)}, ${number3(span.max)}]`]),
  ].join('  ');
}

/** A weight may have more channels than arguments fit a call. */
function spanText(values: readonly number[]): string {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return least === most ? number3(least) : `${number3(least)} … ${number3(most)}`;
}

/** Layers that make what a layer reads, or that read what it makes; in graph order. */
export function neighbours(
  layers: readonly ListedLayer[],
  layer: ListedLayer,
  direction: 'producer' | 'consumer',
): ListedLayer[] {
  const [own, other] = direction === 'producer' ? (['input', 'output'] as const) : (['output', 'input'] as const);
  const names = new Set(layer.tensors.filter(({ role }) => role === own).map(({ name }) => name));
  return layers.filter(
    (candidate) => candidate !== layer && candidate.tensors.some(({ role, name }) => role === other && names.has(name)),
  );
}
