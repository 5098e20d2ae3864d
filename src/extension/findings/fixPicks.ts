/** The fixes of a layer as choices, with what was measured of each. Pure. */

import { priceOf } from '../../shared/findings';
import { changeKey, type RecipeChange } from '../../shared/fixes';
import { candidateKey, type Candidate } from '../../shared/fixesToTry';
import { judge, promises } from '../../shared/judgement';
import { layerFixes } from '../../shared/layerFixes';
import { briefPrice } from '../../shared/priceText';
import type { Report } from '../../shared/report';
import type { Known } from './read';

export interface FixPick {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly change: RecipeChange;
}

export interface FixChoices {
  readonly picks: readonly FixPick[];
  /** How many are tried before they are offered. */
  readonly waiting: number;
}

/** @param planned what is tried in the background */
export function fixChoices(
  report: Report,
  layer: string,
  { culprits, prices }: Known,
  planned: readonly Candidate[],
): FixChoices {
  const keys = new Set(planned.map(candidateKey));
  const fixes = layerFixes(report, culprits, layer, prices).map((fix) => {
    const key = changeKey(fix.change);
    const priced = priceOf(prices, key);
    return { fix, priced, waits: priced === undefined && keys.has(key) };
  });
  const picks = fixes
    .filter(({ waits }) => !waits)
    .map(({ fix: { title, detail, change, preferred }, priced }) => {
      const words = [
        ...(preferred && promises(judge(priced)) ? ['try this first'] : []),
        // Changes are tried on ONNX models alone.
        ...(report.framework === 'onnx' ? [briefPrice(priced)] : []),
      ];
      return { label: title, description: words.join(' · '), detail, change };
    });
  return { picks, waiting: fixes.length - picks.length };
}
