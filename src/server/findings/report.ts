/** What the last run found: layers below the threshold and fallbacks, worst first, and gates. */

import { checkGates } from '../../shared/gates';
import { layerSentence, worstLayers } from '../../shared/problems';
import type { LayerReport, Report } from '../../shared/report';
import { overridesOf, type Analysis } from '../analysis';
import { sameJson, type LayerNode } from '../facts';
import { INFORMATION } from '../codes';
import { keySpan, spanAt, type LooseRecipe, type Span } from '../recipeText';
import { plural } from '../../shared/format';
import { quoted, type Finding } from './finding';

/** Whether the recipe asks for something else than it did in that run. */
export function isStale(report: Report, recipe: LooseRecipe): boolean {
  return !sameJson(asked(report.recipe), asked(recipe));
}

/** Without what changes no number of a report. */
function asked(recipe: LooseRecipe): unknown {
  const layers = (recipe.layers ?? []).map((entry) => ({ ...entry, because: undefined }));
  return { ...recipe, gates: undefined, layers };
}

export function reportFindings(analysis: Analysis): Finding[] {
  const { facts, settings, recipe } = analysis;
  const { report } = facts;
  if (report === undefined || analysis.examined === undefined) return [];
  const stale = isStale(report, recipe);
  const nodes = facts.model?.nodes ?? [];
  const then = stale ? overridesOf(report.recipe.layers ?? [], nodes) : undefined;
  // What a change of the recipe is about has been dealt with; the next run tells.
  const open = worstLayers(report, settings.threshold).filter(
    ({ name }) => then === undefined || sameJson(then.get(name), analysis.overrides.get(name)),
  );
  const shown = open.slice(0, settings.maxFindings).map((layer) => layerFinding(layer, analysis, stale));
  const left = open.length - shown.length;
  if (left > 0) {
    const message = `And ${plural(left, 'more layer')}; the layer view shows all.`;
    shown.push({ code: 'more-findings', span: modelSpan(analysis), message });
  }
  return [...shown, ...gateFindings(analysis, stale)];
}

function modelSpan(analysis: Analysis): Span {
  return spanAt(analysis, ['model']);
}

const STALE = ' (From the run before the recipe was changed.)';

function layerFinding(layer: LayerReport, analysis: Analysis, stale: boolean): Finding {
  const { name, status } = layer;
  const message = `${quoted(name)} ${layerSentence(layer, analysis.settings.threshold)}`;
  return {
    code: status === 'fallback' ? 'layer-fallback' : 'layer-low-sqnr',
    span: spanFor(layer, analysis),
    message: `${message}${stale ? STALE : ''}`,
    ...(stale ? { severity: INFORMATION } : {}),
    layer: name,
  };
}

/** The entry that means the layer and nothing else comes nearest; else the model's line. */
function spanFor({ nodes }: LayerReport, analysis: Analysis): Span {
  const own = new Set(nodes);
  const concerns = ({ matches = [] }: { matches?: readonly LayerNode[] | undefined }): boolean =>
    matches.some(({ name }) => own.has(name));
  const entries = analysis.entries.filter(concerns);
  const nearest = entries.toSorted((a, b) => (a.matches?.length ?? 0) - (b.matches?.length ?? 0))[0];
  return nearest?.at ?? modelSpan(analysis);
}

function gateFindings(analysis: Analysis, stale: boolean): Finding[] {
  const { report } = analysis.facts;
  const { gates } = analysis.recipe;
  if (report === undefined || gates === undefined) return [];
  // The limits of now against the numbers of then.
  return checkGates({ ...report, recipe: { ...report.recipe, gates } })
    .filter(({ passed, measured }) => !passed && measured !== null)
    .map(({ gate, message }) => ({
      code: 'gate-failed',
      span: keySpan(analysis, ['gates'], gate),
      message: `${message}${stale ? STALE : ''}`,
      ...(stale ? { severity: INFORMATION } : {}),
    }));
}
