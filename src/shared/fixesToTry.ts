/** Which fixes of a run are tried, in which order. Pure. */

import { changeKey, type Fix } from './fixes';
import { layerFixes } from './layerFixes';
import { comparedOf } from './measured';
import { modeFixes } from './modes';
import type { Report } from './report';
import { byBlame, suggestions, type Culprits } from './verdicts';

/** Of one layer; the later ones promise less. */
const FIXES_A_LAYER = 3;

export interface Candidate {
  readonly fix: Fix;
  /** `null` for a fix of the whole model. */
  readonly layer: string | null;
}

/** Two candidates of one key change the recipe alike. */
export const candidateKey = ({ fix }: Candidate): string => changeKey(fix.change);

/**
 * Where the culprits were found, what takes their causes away, the most to blame first. Then fixes of the whole model,
 * then those of the layers: by their contribution where it was found, else by their own error. No change is tried
 * twice.
 * @param layer only its fixes; by default those of the model and of the layers to blame
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
          ...modeFixes(report).map((fix) => ({ fix, layer: null })),
          ...blamed(report, culprits).flatMap((name) => ofLayer(name, FIXES_A_LAYER)),
        ]
      : ofLayer(layer, most);
  const byChange = new Map<string, Candidate>();
  for (const candidate of all) {
    const key = candidateKey(candidate);
    if (!byChange.has(key)) byChange.set(key, candidate);
  }
  return [...byChange.values()].slice(0, most);
}

function blamed({ layers }: Report, culprits: Culprits | undefined): string[] {
  if (culprits !== undefined) return culprits.layers.toSorted(byBlame).map(({ layer }) => layer);
  return layers
    .flatMap(({ name, local }) => {
      const sqnr = comparedOf(local)?.sqnr ?? null;
      return sqnr === null ? [] : [{ name, sqnr }];
    })
    .toSorted((a, b) => a.sqnr - b.sqnr)
    .map(({ name }) => name);
}
