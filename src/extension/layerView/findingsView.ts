/** What was found out about a run, as the layer view asks for it. Pure. */

import type { Cause } from '../../shared/causes';
import { priceOf } from '../../shared/findings';
import { changeKey, type Fix } from '../../shared/fixes';
import { candidateKey, type Candidate } from '../../shared/fixesToTry';
import { comparePriced, judge } from '../../shared/judgement';
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
  RowPage,
  SpeedFacts,
  TriedFacts,
} from '../../shared/viewFacts';
import type { FoundOut } from '../findings/read';
import type { Subject } from './subject';

/** The report holds all. */
const MOST_SLOW = 20;
const MOST_NAMED = 8;

/** Position of a layer by its name. */
export type LayerIndex = ReadonlyMap<string, number>;

export function layerIndex({ layers }: Report): LayerIndex {
  return new Map(layers.map(({ name }, index) => [name, index]));
}

export function culpritsFacts({ samples, sqnr, cost, causes, layers }: Culprits): CulpritsFacts {
  const count = (verdict: Verdict): number => layers.filter((layer) => layer.verdict === verdict).length;
  return {
    ...{ samples, cost },
    sqnr: sqnr ?? 'exact',
    counts: Object.fromEntries(VERDICTS.map((verdict) => [verdict, count(verdict)])) as Record<Verdict, number>,
    causes: causes.map(causeFacts),
  };
}

function causeFacts({ kind, sentence, sample }: Cause): CauseFacts {
  return { kind, sentence, sample: sample ?? null };
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

export function blameFacts(culprits: Culprits | undefined, name: string): BlameFacts | null {
  const found = culprits?.layers.find(({ layer }) => layer === name);
  if (found === undefined) return null;
  const { verdict, why, share, only, without, split, causes } = found;
  return {
    ...{ verdict, why, share, split },
    only: only ?? 'exact',
    without: without ?? 'exact',
    causes: causes.map(causeFacts),
  };
}

/**
 * What can be done, in the order in which it is offered: by price once all of it was tried, so that nothing moves under
 * a pointer meanwhile. @param layer `null` for the model as a whole
 */
export function offeredFixes({ report, found, planned }: Subject, layer: string | null): Fix[] {
  const { culprits, prices } = found;
  const fixes = layerFixes(report, culprits, layer);
  const isPlanned = isAmong(planned);
  return fixes.some(isPlanned) ? fixes : layerFixes(report, culprits, layer, prices);
}

function isAmong(planned: readonly Candidate[]): (fix: Fix) => boolean {
  const keys = new Set(planned.map(candidateKey));
  return ({ change }) => keys.has(changeKey(change));
}

export function fixFacts(fixes: readonly Fix[], { found, planned }: Subject): FixFacts[] {
  const isPlanned = isAmong(planned);
  return fixes.map((fix) => {
    const { kind, detail, preferred } = fix;
    return {
      ...triedFacts(fix, priceOf(found.prices, changeKey(fix.change)), isPlanned(fix)),
      kind,
      detail,
      preferred,
    };
  });
}

function triedFacts({ title, change }: Fix, priced: PricedFix | undefined, planned: boolean): TriedFacts {
  const tag = priced === undefined ? null : { price: priced.price, why: priced.why ?? null };
  return { key: changeKey(change), title, judgement: judge(priced), planned: planned && tag === null, tag };
}

/** Of the model and of the layers to blame: what was tried, and what is going to be. */
export function pricesFacts(subject: Subject, index: LayerIndex): PricesFacts | null {
  const { found, planned } = subject;
  const { prices } = found;
  if (prices === undefined && planned.length === 0) return null;
  const tried = prices?.fixes ?? [];
  const waiting = planned.filter((candidate) => priceOf(prices, candidateKey(candidate)) === undefined);
  const factsOf = (candidate: Candidate, priced: PricedFix | undefined): PricedFacts[] => {
    const layer = candidate.layer === null ? null : index.get(candidate.layer);
    if (layer === undefined) return [];
    const facts = triedFacts(candidate.fix, priced, priced === undefined);
    const offered = offeredFixes(subject, candidate.layer).some(({ change }) => changeKey(change) === facts.key);
    return [{ ...facts, layer, offered }];
  };
  const ordered = waiting.length > 0 ? tried : tried.toSorted(comparePriced);
  return {
    samples: prices?.samples ?? 0,
    start: prices?.start ?? null,
    fixes: [
      ...ordered.flatMap((priced) => factsOf(priced, priced)),
      ...waiting.flatMap((candidate) => factsOf(candidate, undefined)),
    ],
    left: waiting.length > 0 ? 0 : (prices?.left ?? 0),
  };
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
