/** What a tune found, as text of the recipe: the same file with the changes in it, and comments that say why. */

import { isMap, isScalar, parseDocument } from 'yaml';
import type { RecipeChange } from './fixes';
import { applyChanges, recipeEdits } from './recipeEdit';
import type { TuneChange } from './tuning';
import { changeText } from './tuningText';

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
  const key = BLOCKS[change.kind];
  return key === undefined ? undefined : { key, what: changeText(change) };
}

const BLOCKS: Readonly<Record<RecipeChange['kind'], string | undefined>> = {
  override: undefined,
  'remove-override': undefined,
  backend: 'backend',
  observer: 'calibration',
  'bias-correction': 'calibration',
  weights: 'weights',
  activations: 'activations',
  equalize: 'normalize',
  smooth: 'normalize',
  split: 'normalize',
  twin: 'torch',
  leaves: 'torch',
  mode: 'mode',
  opset: 'normalize',
  preprocess: 'preprocess',
};

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
