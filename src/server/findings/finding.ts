/** What every kind of finding has in common. */

import { stringify } from 'yaml';
import { printable } from '../../shared/format';
import type { RecipeChange } from '../../shared/fixes';
import type { TextChange } from '../../shared/recipeEdit';
import type { CODES, FindingCode } from '../codes';
import type { Span } from '../recipeText';

/** A correction of the text itself, or a change of what the recipe says. */
export type Repair =
  | { readonly title: string; readonly edits: readonly TextChange[] }
  | { readonly title: string; readonly change: RecipeChange };

export interface Finding {
  readonly code: FindingCode;
  readonly span: Span;
  readonly message: string;
  /** Where it differs from the code's own. */
  readonly severity?: (typeof CODES)[FindingCode]['severity'];
  /** The text counts for nothing, and may be shown faded. */
  readonly unnecessary?: true;
  /** The layer of the last report that the finding is about. */
  readonly layer?: string;
  /** The best first. */
  readonly repairs?: readonly Repair[];
}

/** A text as YAML that is right inside flow brackets and outside of them. */
export function yamlText(value: string): string {
  return stringify([value], { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false })
    .trim()
    .slice(1, -1);
}

export function replaceSpan({ start, end }: Span, value: string): TextChange {
  return { start, end, text: yamlText(value) };
}

/** A name in quotation marks, shortened in the middle where it is long. */
export function quoted(name: string): string {
  const shown = printable(name);
  return `"${shown.length > LONGEST ? `${shown.slice(0, LONGEST / 2)}…${shown.slice(-LONGEST / 2)}` : shown}"`;
}

const LONGEST = 80;
