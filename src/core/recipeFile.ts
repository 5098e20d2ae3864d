/** The recipe as a file. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { toQuantscopeError } from '../shared/errors';
import { parseRecipe, type ParsedRecipe } from '../shared/recipeDocument';
import { frameworkOf } from '../shared/resultsSuffix';
import { modelName } from './resultsFolder';

/** Where the recipe of a model lies: `NAME.quant.yaml` beside it. */
export function recipePath(model: string): string {
  const name = frameworkOf(model) === 'torch' ? modelName(model) : path.parse(model).name;
  return path.join(path.dirname(model), `${name}.quant.yaml`);
}

/** @throws `file-not-found`, `recipe-invalid` */
export async function readRecipe(file: string): Promise<ParsedRecipe> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw toQuantscopeError(error, 'recipe-invalid');
  }
  return parseRecipe(text, file);
}
