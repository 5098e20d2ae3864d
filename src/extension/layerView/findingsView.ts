/** What was found out about a run, as the layer view asks for it. Pure. */

import type { Cause } from '../../shared/causes';
import { priceOf } from '../../shared/findings';
import { changeKey, type Fix } from '../../shared/fixes';
import { layerFixes } from '../../shared/layerFixes';
import type { PricedFix } from '../../shared/price';
import type { Report } from '../../shared/report';
import { explainSpeed } from '../../shared/slowness';
import { VERDICTS, type Culprits, type Verdict } from '../../shared/verdicts';
import type {
  BlameFacts,
  CauseFacts,
  CulpritsFacts,
  FixFacts,
  PricedFacts,
  PricesFacts,
  PriceTag,
  RowPage,
  SpeedFacts,
} from '../../shared/viewFacts';
import type { FoundOut } from '../findings/read';

/** The report holds all. */
const MOST_SLOW = 20;
const MOST_NAMED = 8;

/** Position of a layer by its name. */
export type LayerIndex = ReadonlyMap<string, number>;

export function layerIndex({ layers }: Report): LayerIndex {
  return new Map(layers.map(({ name }, index) => [name, index]));
}

export function culpritsFacts({ samples, sqnr, cost, causes, layers }: Culprits, fixes: readonly Fix[]): CulpritsFacts {
  const count = (verdict: Verdict): number => layers.filter((layer) => layer.verdict === verdict).length;
  return {
    ...{ samples, cost },
    sqnr: sqnr ?? 'exact',
    counts: Object.fromEntries(VERDICTS.map((verdict) => [verdict, count(verdict)])) as Record<Verdict, number>,
    causes: causes.map((cause) => causeFacts(cause, fixes)),
  };
}

function causeFacts({ kind, sentence, sample, fix }: Cause, fixes: readonly Fix[]): CauseFacts {
  const key = fix === undefined ? undefined : changeKey(fix.change);
  const at = fixes.findIndex(({ change }) => changeKey(change) === key);
  return { kind, sentence, sample: sample ?? null, fix: at === -1 ? null : at };
}

/** The rows of some layers; `null` where nobody has asked. */
export function blameColumns(culprits: Culprits | undefined, names: readonly string[]): RowPage['blame'] {
  if (culprits === undefined) return null;
  const known = new Map(culprits.layers.map((verdict) => [verdict.layer, verdict]));
  const found = names.map((name) => known.get(name));
  return {
    verdict: found.map((layer) => layer?.verdict ?? null),
    share: found.map((layer) => layer?.share ?? null),
    only: found.map((layer) => (layer === undefined ? null : (layer.only ?? 'exact'))),
  };
}

export function blameFacts(culprits: Culprits | undefined, name: string, fixes: readonly Fix[]): BlameFacts | null {
  const found = culprits?.layers.find(({ layer }) => layer === name);
  if (found === undefined) return null;
  const { verdict, why, share, only, without, split, causes } = found;
  return {
    ...{ verdict, why, share, split },
    only: only ?? 'exact',
    without: without ?? 'exact',
    causes: causes.map((cause) => causeFacts(cause, fixes)),
  };
}

export function fixFacts(fixes: readonly Fix[], prices: FoundOut['prices']): FixFacts[] {
  return fixes.map(({ kind, title, detail, preferred, change }) => {
    const priced = priceOf(prices, changeKey(change));
    return { kind, title, detail, preferred, tag: priced === undefined ? null : tagOf(priced) };
  });
}

function tagOf({ price, why }: PricedFix): PriceTag {
  return { price, why: why ?? null };
}

export function pricesFacts(report: Report, { culprits, prices }: FoundOut, index: LayerIndex): PricesFacts | null {
  if (prices === undefined) return null;
  const { samples, start, fixes } = prices;
  const facts = fixes.flatMap((priced): PricedFacts[] => {
    const layer = priced.layer === null ? null : index.get(priced.layer);
    if (layer === undefined) return [];
    const key = changeKey(priced.fix.change);
    const offered = layerFixes(report, culprits, priced.layer);
    const at = offered.findIndex(({ change }) => changeKey(change) === key);
    return [{ layer, fix: at === -1 ? null : at, title: priced.fix.title, tag: tagOf(priced) }];
  });
  return { samples, start, fixes: facts };
}

export function speedFacts(report: Report, { speed }: FoundOut, index: LayerIndex): SpeedFacts {
  const timings = speed?.timings ?? [];
  return {
    conversions: report.conversions ?? { int8: null, fp32: null },
    timings,
    findings: explainSpeed(report, timings)
      .slice(0, MOST_SLOW)
      .map(({ cause, message, fix, layers }) => ({
        ...{ cause, message, fix },
        layers: layers.slice(0, MOST_NAMED).flatMap((name) => index.get(name) ?? []),
        concerned: layers.length,
      })),
  };
}
