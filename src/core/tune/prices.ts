/** The job that tries the fixes of a run before anybody applies them, and tells what each brings and costs. */

import * as path from 'node:path';
import { throwIfCancelled, toQuantscopeError } from '../../shared/errors';
import { changeKey, type Fix } from '../../shared/fixes';
import { layerFixes } from '../../shared/layerFixes';
import type { PricedFix, Prices, PricesInput } from '../../shared/price';
import type { Recipe } from '../../shared/recipe';
import { changeRecipe } from '../../shared/recipeEdit';
import type { Report } from '../../shared/report';
import { byBlame, suggestions, type Culprits } from '../../shared/verdicts';
import { keepPrices, readFinding } from '../findingFiles';
import { onnxOnly } from '../pipeline/onnxOnly';
import type { JobContext } from '../pipeline/types';
import { readReport, resultFolder } from '../reportFile';
import { Trials } from './trials';

const DEFAULT_MOST = 8;
/** Of one layer; the later ones promise less. */
const FIXES_A_LAYER = 3;

/**
 * Keeps them in `prices.json` beside the report as well.
 * @throws `report-invalid`, and what preparing, reading data and running throw
 */
export async function priceFixes(input: PricesInput, context: JobContext = {}): Promise<Prices> {
  const file = path.resolve(input.report);
  const report = await readReport(file);
  onnxOnly(report.framework, 'Prices');
  const outDir = path.extname(file) === '.json' ? resultFolder(file) : file;
  const { baseDir, layer, samples, seed } = input;
  const recipe: Recipe = { ...report.recipe, model: report.model.path };
  const trials = await Trials.open({ recipe, baseDir }, outDir, context, {
    timed: true,
    ...(samples === undefined ? {} : { samples }),
    ...(seed === undefined ? {} : { seed }),
  });
  const wanted = fixesToTry(report, await readFinding(outDir, report, 'culprits'), layer, input.most ?? DEFAULT_MOST);
  const before = await trials.run(recipe);
  const fixes: PricedFix[] = [];
  for (const [index, { fix, layer: of }] of wanted.entries()) {
    throwIfCancelled(context.signal);
    context.onProgress?.({ stage: 'tune', done: index, total: wanted.length, message: fix.title });
    try {
      const after = await trials.run(changeRecipe(recipe, fix.change) as Recipe);
      fixes.push({ fix, layer: of, price: await trials.price(before, after) });
    } catch (error) {
      throwIfCancelled(context.signal);
      // A fix that cannot be applied says so; the others still have their price.
      fixes.push({ fix, layer: of, price: null, why: toQuantscopeError(error).message });
    }
  }
  const sqnr = Number.isFinite(before.sqnr) ? before.sqnr : null;
  const { agreement, top1 } = before;
  const start = { sqnr, agreement, top1, top1Fp32: trials.top1Fp32 };
  const prices = { samples: trials.samples, start, fixes };
  await keepPrices(outDir, report, prices);
  return prices;
}

export interface Candidate {
  readonly fix: Fix;
  readonly layer: string | null;
}

/**
 * Where the culprits were found, what takes their causes away, the most to blame first. Then fixes of the whole model,
 * then those of the layers: by their contribution where it was found, else by their own error. No change is tried
 * twice. Pure.
 */
export function fixesToTry(
  report: Report,
  culprits: Culprits | undefined,
  layer: string | undefined,
  most: number,
): Candidate[] {
  const ofLayer = (name: string, count: number): Candidate[] =>
    layerFixes(report, culprits, name)
      .slice(0, count)
      .map((fix) => ({ fix, layer: name }));
  const all =
    layer === undefined
      ? [
          ...(culprits === undefined ? [] : suggestions(culprits).map(({ fix, layer: of }) => ({ fix, layer: of }))),
          ...layerFixes(report, culprits, null).map((fix) => ({ fix, layer: null })),
          ...blamed(report, culprits).flatMap((name) => ofLayer(name, FIXES_A_LAYER)),
        ]
      : ofLayer(layer, most);
  const byChange = new Map<string, Candidate>();
  for (const candidate of all) {
    const key = changeKey(candidate.fix.change);
    if (!byChange.has(key)) byChange.set(key, candidate);
  }
  return [...byChange.values()].slice(0, most);
}

function blamed({ layers }: Report, culprits: Culprits | undefined): string[] {
  if (culprits !== undefined) return culprits.layers.toSorted(byBlame).map(({ layer }) => layer);
  return layers
    .flatMap(({ name, local }) => (typeof local?.sqnr === 'number' ? [{ name, sqnr: local.sqnr }] : []))
    .toSorted((a, b) => a.sqnr - b.sqnr)
    .map(({ name }) => name);
}
