/** A fix as an edit of the recipe's text, which keeps comments, order and style of everything else. */

import { isMap, parseDocument } from 'yaml';
import { QuantscopeError, toQuantscopeError } from './errors';
import type { RecipeChange } from './fixes';
import { layerOverrideSchema, recipeSchema } from './recipe';
import { applyChanges, sameValue, yamlEdits, type TextChange } from './yamlEdit';

export { applyChanges, type TextChange } from './yamlEdit';

/**
 * What to change in a recipe's text, in ascending order without overlap; empty where the recipe says it already.
 * @throws `recipe-invalid` where the text is no YAML map
 */
export function recipeEdits(text: string, change: RecipeChange): readonly TextChange[] {
  const document = parseDocument(text, { ...PARSING, keepSourceTokens: true });
  const [error] = document.errors;
  if (error !== undefined) throw invalid(`The recipe is no YAML: ${error.message}.`);
  if (!isMap(document.contents)) throw invalid('The recipe is no map of keys.');
  const target = changeRecipe(valueOf(document), change);
  const edits = yamlEdits(text, document, target);
  const result = parseDocument(applyChanges(text, edits), PARSING);
  // A recipe without keys is no map.
  if (result.errors.length > 0 || !sameValue(result.toJS() ?? {}, target)) {
    throw invalid('This recipe is written in a way that Quantscope cannot edit.', 'Make the change by hand.');
  }
  return edits;
}

/** As `core/recipeFile.ts` reads recipes. */
const PARSING = { merge: true, prettyErrors: false, logLevel: 'error' } as const;

function valueOf(document: { toJS: () => unknown }): Keyed {
  try {
    return keyed(document.toJS());
  } catch (error) {
    throw invalid(toQuantscopeError(error).message);
  }
}

function invalid(message: string, hint?: string): QuantscopeError {
  return new QuantscopeError('recipe-invalid', message, hint === undefined ? {} : { hint });
}

type Keyed = Readonly<Record<string, unknown>>;

const RECIPE_ORDER = Object.keys(recipeSchema.shape);
const OVERRIDE_ORDER = Object.keys(layerOverrideSchema.shape);

/**
 * A recipe, as it was read, with a change made. Keys that the schema does not know stay.
 * @throws `recipe-invalid` for an observer where the recipe has no calibration
 */
export function changeRecipe(recipe: Keyed, change: RecipeChange): Keyed {
  switch (change.kind) {
    case 'override':
      return withOverride(recipe, definedOnly(change.override));
    case 'remove-override': {
      const layers = listOf(recipe['layers']);
      const left = layers.filter((entry) => keyed(entry)['select'] !== change.select);
      if (left.length === layers.length) return recipe;
      return left.length > 0 ? put(recipe, 'layers', left) : without(recipe, 'layers');
    }
    case 'backend':
      return put(recipe, 'backend', change.backend);
    case 'observer': {
      if (recipe['calibration'] === undefined) {
        throw invalid('The recipe has no `calibration`, so there is no observer to choose.');
      }
      const { observer, percentile } = change;
      const settings = { observer, ...(percentile === undefined ? {} : { percentile }) };
      return put(recipe, 'calibration', { ...keyed(recipe['calibration']), ...settings });
    }
    case 'weights':
      return put(recipe, 'weights', typed(recipe['weights'], { granularity: change.granularity }));
    case 'bias-correction': {
      if (recipe['calibration'] === undefined) throw invalid('The recipe has no `calibration` to correct biases with.');
      return put(recipe, 'calibration', { ...keyed(recipe['calibration']), biasCorrection: change.enabled });
    }
    case 'activations':
      return put(recipe, 'activations', typed(recipe['activations'], change.type));
    case 'equalize':
      return put(recipe, 'normalize', { ...keyed(recipe['normalize']), equalize: change.enabled });
    case 'smooth':
      return put(recipe, 'normalize', { ...keyed(recipe['normalize']), smooth: change.strength });
    case 'split':
      return withListed(recipe, 'normalize', 'split', [change.concat]);
    case 'twin':
      return withListed(recipe, 'torch', 'twins', [change.module]);
    case 'leaves':
      return withListed(recipe, 'torch', 'leaves', change.modules);
    case 'mode':
      return put(recipe, 'mode', change.mode);
    case 'opset':
      return put(recipe, 'normalize', { ...keyed(recipe['normalize']), opset: change.opset });
    case 'preprocess':
      return put(recipe, 'preprocess', change.preprocess);
  }
}

/** The last entry of a selector wins over the earlier ones, so that is the one to change. */
function withOverride(recipe: Keyed, override: Keyed): Keyed {
  const layers = listOf(recipe['layers']);
  const index = layers.findLastIndex((entry) => keyed(entry)['select'] === override['select']);
  const changed = Object.entries(override).reduce(
    (entry, [key, value]) => put(entry, key, TYPED.has(key) ? typed(entry[key], value) : value, OVERRIDE_ORDER),
    keyed(layers[index]),
  );
  return put(recipe, 'layers', index < 0 ? [...layers, changed] : layers.with(index, changed));
}

/** Adds what is not there yet to a list inside a block. */
function withListed(recipe: Keyed, block: string, key: string, values: readonly string[]): Keyed {
  const inside = keyed(recipe[block]);
  const listed = listOf(inside[key]);
  const added = values.filter((value) => !listed.includes(value));
  return added.length === 0 ? recipe : put(recipe, block, { ...inside, [key]: [...listed, ...added] });
}

/** A bare type is short for a block with a type. */
const TYPED: ReadonlySet<string> = new Set(['activations', 'weights']);

function typed(before: unknown, value: unknown): unknown {
  const isBlock = (setting: unknown): setting is Keyed => typeof setting === 'object' && setting !== null;
  if (!isBlock(before) && !isBlock(value)) return value;
  const long = (setting: unknown): Keyed =>
    isBlock(setting) ? setting : setting === undefined || setting === null ? {} : { type: setting };
  return { ...long(before), ...long(value) };
}

/** A new key goes where the schema has it: behind the last of those that come before it there. */
function put(object: Keyed, key: string, value: unknown, order: readonly string[] = RECIPE_ORDER): Keyed {
  if (Object.hasOwn(object, key)) return { ...object, [key]: value };
  const entries = Object.entries(object);
  const earlier = new Set(order.slice(0, order.indexOf(key)));
  const behind = entries.findLastIndex(([known]) => earlier.has(known));
  return Object.fromEntries(entries.toSpliced(behind < 0 ? entries.length : behind + 1, 0, [key, value]));
}

function without(object: Keyed, key: string): Keyed {
  return Object.fromEntries(Object.entries(object).filter(([known]) => known !== key));
}

function definedOnly(override: object): Keyed {
  return Object.fromEntries(Object.entries(override).filter(([, value]) => value !== undefined));
}

function keyed(value: unknown): Keyed {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Keyed) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
