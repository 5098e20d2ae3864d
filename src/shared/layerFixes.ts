/** Everything that can be done about a layer, or about the model as a whole. Pure. */

import { changeKey, type Fix } from './fixes';
import { byPrice, judge } from './judgement';
import type { Prices } from './price';
import type { Report } from './report';
import { suggestFixes, suggestRecipeFixes } from './suggest';
import type { Culprits } from './verdicts';

/**
 * What the causes call for, where they are known, then what the report alone suggests; no change twice. The first is
 * the preferred one.
 * @param layer `null` for the model as a whole
 * @param prices what was measured of them, which then says which comes first
 */
export function layerFixes(
  report: Report,
  culprits: Culprits | undefined,
  layer: string | null,
  prices?: Prices,
): Fix[] {
  const causes =
    layer === null ? culprits?.causes : culprits?.layers.find((verdict) => verdict.layer === layer)?.causes;
  const named = (causes ?? []).flatMap(({ fix }) => (fix === undefined ? [] : [fix]));
  const suggested = layer === null ? suggestRecipeFixes(report) : suggestFixes(report, layer);
  const byChange = new Map<string, Fix>();
  // Of modes only trying tells, so that only those that were found better are offered.
  const modes = (layer === null ? (prices?.fixes ?? []) : []).flatMap((priced) =>
    priced.fix.kind === 'mode' && judge(priced) === 'better' ? [priced.fix] : [],
  );
  for (const fix of [...named, ...suggested, ...modes]) {
    const key = changeKey(fix.change);
    if (!byChange.has(key)) byChange.set(key, fix);
  }
  return byPrice([...byChange.values()], prices).map((fix, index) => ({ ...fix, preferred: index === 0 }));
}
