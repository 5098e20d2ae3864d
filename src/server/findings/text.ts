/** What is wrong with the text alone: syntax, keys, values. */

import type { RecipeText } from '../recipeText';
import { replaceSpan, type Finding, type Repair } from './finding';

export function textFindings({ examined, text }: RecipeText): Finding[] {
  if (examined === undefined) {
    const message = 'This file is too large for a recipe, and is not checked while typing.';
    return [{ code: 'recipe-too-large', span: firstLine(text), message }];
  }
  return examined.problems.map(({ kind, start, end, key, message, suggestion }) => {
    const code = kind === 'empty' ? 'missing-key' : kind;
    // What is missing has no place; the whole recipe would be underlined.
    const span = kind === 'missing-key' && start === 0 ? firstLine(text) : { start, end: Math.max(end, start) };
    const repair: Repair[] =
      suggestion === undefined
        ? []
        : [
            {
              title: key === undefined ? `Change to "${suggestion}"` : `Rename the key to "${suggestion}"`,
              edits: [replaceSpan({ start, end }, suggestion)],
            },
          ];
    return { code, span: clipped(span, text), message, repairs: repair };
  });
}

function firstLine(text: string): { start: number; end: number } {
  const end = text.search(/\r?\n|$/);
  return { start: 0, end };
}

/** Blocks are marked on their first line only. */
function clipped({ start, end }: { start: number; end: number }, text: string): { start: number; end: number } {
  const line = text.slice(start, end).search(/\r?\n/);
  return { start, end: line < 0 ? end : start + line };
}
