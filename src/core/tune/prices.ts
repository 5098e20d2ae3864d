/** The job that tries the fixes of a run before anybody applies them, and tells what each brings and costs. */

import * as path from 'node:path';
import { throwIfCancelled, toQuantscopeError } from '../../shared/errors';
import { fixesToTry } from '../../shared/fixesToTry';
import type { PricedFix, Prices, PricesInput } from '../../shared/price';
import type { Recipe } from '../../shared/recipe';
import { changeRecipe } from '../../shared/recipeEdit';
import type { Report } from '../../shared/report';
import { keepPrices, readFinding } from '../findingFiles';
import { onnxOnly } from '../pipeline/onnxOnly';
import type { JobContext } from '../pipeline/types';
import { readReport, resultFolder } from '../reportFile';
import { DEFAULT_SAMPLES, Trials } from './trials';

const DEFAULT_MOST = 8;
/** By fewer hardly any difference can be told from noise. */
const FEWEST_SAMPLES = 16;

/**
 * Keeps each in `prices.json` beside the report as soon as it is known.
 * @throws `report-invalid`, and what preparing, reading data and running throw
 */
export async function priceFixes(input: PricesInput, context: JobContext = {}): Promise<Prices> {
  const file = path.resolve(input.report);
  const report = await readReport(file);
  onnxOnly(report.framework, 'Prices');
  const outDir = path.extname(file) === '.json' ? resultFolder(file) : file;
  const { baseDir, layer, seed, seconds = Infinity, most = DEFAULT_MOST } = input;
  const end = performance.now() + 1000 * seconds;
  const recipe: Recipe = { ...report.recipe, model: report.model.path };
  const wanted = input.candidates ?? fixesToTry(report, await readFinding(outDir, report, 'culprits'), layer, most);
  const trials = await Trials.open({ recipe, baseDir }, outDir, context, {
    timed: true,
    samples: input.samples ?? samplesWithin(seconds, report.latency, wanted.length),
    ...(seed === undefined ? {} : { seed }),
  });
  const before = await trials.run(recipe);
  const sqnr = Number.isFinite(before.sqnr) ? before.sqnr : null;
  const { agreement, top1 } = before;
  const start = { sqnr, agreement, top1, top1Fp32: trials.top1Fp32 };
  const fixes: PricedFix[] = [];
  const result = (): Prices => {
    const left = wanted.length - fixes.length;
    return { samples: trials.samples, start, fixes, ...(left > 0 ? { left } : {}) };
  };
  for (const [index, { fix, layer: of }] of wanted.entries()) {
    throwIfCancelled(context.signal);
    if (index > 0 && performance.now() > end) break;
    context.onProgress?.({ stage: 'tune', done: index, total: wanted.length, message: fix.title });
    try {
      const after = await trials.run(changeRecipe(recipe, fix.change) as Recipe);
      fixes.push({ fix, layer: of, price: await trials.price(before, after) });
    } catch (error) {
      throwIfCancelled(context.signal);
      // A fix that cannot be applied says so; the others still have their price.
      fixes.push({ fix, layer: of, price: null, why: toQuantscopeError(error).message });
    }
    await keepPrices(outDir, report, result());
  }
  if (wanted.length === 0) await keepPrices(outDir, report, result());
  return result();
}

/**
 * Samples that fp32 once, int8 once and each fix once run on in a time, told from what one inference took on one
 * thread. @param latency of the run, in milliseconds
 */
export function samplesWithin(seconds: number, latency: Report['latency'], fixes: number): number {
  if (seconds === Infinity || latency === undefined) return DEFAULT_SAMPLES;
  // One run took too long to measure several.
  if (latency === null) return FEWEST_SAMPLES;
  const eachSample = latency.fp32 + (1 + fixes) * latency.int8;
  return Math.min(DEFAULT_SAMPLES, Math.max(FEWEST_SAMPLES, Math.floor((1000 * seconds) / eachSample)));
}
