/** The fixes of a layer as choices: what was measured of each, or that it is being tried. Pure. */

import { priceOf } from '../../shared/findings';
import { changeKey, type RecipeChange } from '../../shared/fixes';
import type { Candidate } from '../../shared/fixesToTry';
import { judge, promises } from '../../shared/judgement';
import { layerFixes } from '../../shared/layerFixes';
import { briefPrice } from '../../shared/priceText';
import type { Report } from '../../shared/report';
import type { FoundOut } from './read';

export interface FixPick {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly change: RecipeChange;
}

/** @param underWay what is tried in the background; the first of it now, unless it waits */
export function fixPicks(
  report: Report,
  layer: string,
  { culprits, prices }: Pick<FoundOut, 'culprits' | 'prices'>,
  underWay: { readonly planned: readonly Candidate[]; readonly waits: boolean } | undefined,
): FixPick[] {
  const planned = underWay?.planned.map(({ fix }) => changeKey(fix.change)) ?? [];
  return layerFixes(report, culprits, layer, prices).map(({ title, detail, change, preferred }) => {
    const key = changeKey(change);
    const priced = priceOf(prices, key);
    const at = priced === undefined ? planned.indexOf(key) : -1;
    const known =
      at === -1 ? briefPrice(priced) : at === 0 && underWay?.waits === false ? 'being tried…' : 'to be tried';
    const words = [
      ...(preferred && promises(judge(priced)) ? ['try this first'] : []),
      // Changes are tried on ONNX models alone.
      ...(report.framework === 'onnx' ? [known] : []),
    ];
    return { label: title, description: words.join(' · '), detail, change };
  });
}
