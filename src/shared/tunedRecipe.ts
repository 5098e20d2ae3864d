/** What a tune found, as text of the recipe: the same file with the changes in it, and comments that say why. */

import { isMap, isScalar, parseDocument } from 'yaml';
import type { RecipeChange } from './fixes';
import { applyChanges, recipeEdits } from './recipeEdit';
import type { TuneChange } from './tuning';

/**
 * Entries for layers carry their reason in `because`; changes of the whole recipe get a comment above their block.
 * @throws `recipe-invalid` where the text is no recipe that can be edited
 */
export function tunedRecipe(text: string, changes: readonly TuneChange[]): string {
  return changes.reduce((edited, { change, because }) => {
    const next = applyChanges(edited, recipeEdits(edited, change));
    const subject = subjectOf(change);
    if (subject === undefined || next === edited) return next;
    return withComment(next, subject.key, `# Tuned: ${subject.what}; ${because}.`);
  }, text);
}

/** The block of the recipe that a change is in, and what to call it; none where the change itself says why. */
function subjectOf(change: RecipeChange): { readonly key: string; readonly what: string } | undefined {
  switch (change.kind) {
    case 'override':
    case 'remove-override':
      return undefined;
    case 'backend':
      return { key: 'backend', what: `backend ${change.backend}` };
    case 'observer':
      return { key: 'calibration', what: `ranges by ${change.observer}` };
    case 'bias-correction':
      return { key: 'calibration', what: 'biases corrected' };
    case 'weights':
      return { key: 'weights', what: `weights ${change.granularity}` };
    case 'activations':
      return { key: 'activations', what: `${change.type} activations` };
    case 'opset':
      return { key: 'normalize', what: `opset ${change.opset}` };
    case 'preprocess':
      return { key: 'preprocess', what: 'images prepared otherwise' };
  }
}

function withComment(text: string, key: string, comment: string): string {
  const { contents } = parseDocument(text);
  const pair = isMap(contents)
    ? contents.items.find(({ key: name }) => isScalar(name) && name.value === key)
    : undefined;
  const at = pair !== undefined && isScalar(pair.key) ? pair.key.range[0] : 0;
  const line = text.lastIndexOf('\n', at - 1) + 1;
  // A key inside a line of others, in braces, has no line of its own above it.
  const place = line === at ? line : 0;
  return `${text.slice(0, place)}${comment}\n${text.slice(place)}`;
}
