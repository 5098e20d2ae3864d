/**
 * What reads and writes recipes, in a file of its own: the YAML and schema libraries are larger than the rest of the
 * extension, which loads them when it first needs them (`recipes.ts`).
 */

export { parse } from 'yaml';
export { newRecipeText } from '../shared/newRecipe';
export { examineRecipe, parseRecipe, recipeText } from '../shared/recipeDocument';
export { applyChanges, recipeEdits } from '../shared/recipeEdit';
export { tunedRecipe } from '../shared/tunedRecipe';
