/** Quick fixes: corrections of the text, and what may be done about the layers that the last run found. */

import { priceOf } from '../shared/findings';
import { changeKey, type RecipeChange, type Fix } from '../shared/fixes';
import { judge, promises } from '../shared/judgement';
import { briefPrice } from '../shared/priceText';
import { recipeEdits, type TextChange } from '../shared/recipeEdit';
import { layerFixes } from '../shared/layerFixes';
import type { Analysis } from './analysis';
import type { Finding, Repair } from './findings/index';
import { plural } from '../shared/format';
import { quoted } from './findings/finding';
import { isStale } from './findings/report';
import { keySpan, type Span } from './recipeText';

export interface QuickFix {
  readonly title: string;
  readonly edits: readonly TextChange[];
  readonly preferred: boolean;
  /** The finding it answers. */
  readonly finding?: Finding;
  /** A fix that a new run should follow. */
  readonly fix?: Fix;
}

/** On the line of the model stand many layers: all fixes of the worst, and the first fix of some more. */
const LAYERS_OFFERED = 5;

/** @param span what is selected, or where the cursor is */
export function quickFixes(analysis: Analysis, findings: readonly Finding[], span: Span): readonly QuickFix[] {
  const { text } = analysis;
  const touched = findings.filter((finding) => touches(finding.span, span));
  const repairs = touched.flatMap((finding) =>
    (finding.repairs ?? []).flatMap((repair, index) => repaired(repair, index, finding, text)),
  );
  // The heading of the list is a place where one looks for what to put there.
  const heading = keySpan(analysis, [], 'layers');
  const onHeading = analysis.recipe.layers !== undefined && onLine(heading, span, text);
  const layers = onHeading ? findings : touched;
  return distinct([...repairs, ...findingFixes(layers, analysis), ...entryFixes(analysis, span)]);
}

function touches(a: Span, b: Span): boolean {
  return a.start <= b.end && b.start <= a.end;
}

function onLine(heading: Span, span: Span, text: string): boolean {
  const lineEnd = text.slice(heading.end).search(/\r?\n|$/) + heading.end;
  return touches({ start: heading.start, end: lineEnd }, span);
}

function repaired(repair: Repair, index: number, finding: Finding, text: string): QuickFix[] {
  const edits = 'edits' in repair ? repair.edits : editsOf(text, repair.change);
  return edits.length === 0 ? [] : [{ title: repair.title, edits, preferred: index === 0, finding }];
}

function findingFixes(findings: readonly Finding[], { text, recipe, facts }: Analysis): QuickFix[] {
  const { report, culprits } = facts;
  if (report === undefined) return [];
  // What was measured beside another recipe says little about this one.
  const prices = isStale(report, recipe) ? undefined : facts.prices;
  const withLayer = findings.filter(({ layer }) => layer !== undefined).slice(0, LAYERS_OFFERED);
  return withLayer.flatMap((finding, index) => {
    const fixes = layerFixes(report, culprits, finding.layer ?? '', prices);
    return (index === 0 ? fixes : fixes.slice(0, 1)).flatMap((fix): QuickFix[] => {
      const edits = editsOf(text, fix.change);
      if (edits.length === 0) return [];
      const priced = priceOf(prices, changeKey(fix.change));
      const preferred = index === 0 && fix.preferred && promises(judge(priced));
      // Changes are tried on ONNX models alone.
      const title = report.framework === 'onnx' ? `${fix.title} (${briefPrice(priced)})` : fix.title;
      return [{ title, edits, preferred, finding, fix }];
    });
  });
}

/** An entry can always be taken back. */
function entryFixes({ entries, text }: Analysis, span: Span): QuickFix[] {
  return entries
    .filter(({ at, select }) => touches(at, span) && entries.filter((other) => other.select === select).length === 1)
    .slice(0, 1)
    .flatMap(({ select, matches }): QuickFix[] => {
      const change: RecipeChange = { kind: 'remove-override', select };
      const edits = editsOf(text, change);
      const what = matches === undefined ? '' : ` (${plural(matches.length, 'node')})`;
      const title = 'Remove this entry';
      if (edits.length === 0) return [];
      const detail = `Takes back what the recipe says about ${quoted(select)}${what}.`;
      return [
        { title, edits, preferred: false, fix: { kind: 'include-layer', title, detail, change, preferred: false } },
      ];
    });
}

/** None where the text is so broken that it cannot be edited. */
function editsOf(text: string, change: RecipeChange): readonly TextChange[] {
  try {
    return recipeEdits(text, change);
  } catch {
    return [];
  }
}

/** One action for each title; of several layers the same fix (`observer: mse`) comes up again and again. */
function distinct(fixes: readonly QuickFix[]): QuickFix[] {
  const seen = new Set<string>();
  return fixes.filter(({ title }) => !seen.has(title) && seen.add(title));
}
