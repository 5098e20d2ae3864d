/** A recipe as it is being typed: whatever of it can be understood, with the places of its parts in the text. */

import { isMap, isScalar, isSeq, type Node } from 'yaml';
import { examineRecipe, type ExaminedRecipe } from '../shared/recipeDocument';
import { nodeAt } from '../shared/recipeIssues';
import { layerOverrideSchema, recipeSchema, type LayerOverride, type Recipe } from '../shared/recipe';

/** Offsets into the text, the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The valid parts of a recipe; those that are wrong are left out, and so may `model` be. */
export type LooseRecipe = Partial<Recipe>;

/** An entry under `layers` that has a selector. */
export interface EntryText {
  /** Position under `layers`. */
  readonly index: number;
  readonly select: string;
  /** The value of `select`. */
  readonly at: Span;
  readonly whole: Span;
  /** `undefined` where another key of the entry is wrong. */
  readonly override: LayerOverride | undefined;
}

export interface RecipeText {
  readonly text: string;
  /** `undefined` for a text that is too large to be read at every keystroke. */
  readonly examined: ExaminedRecipe | undefined;
  readonly recipe: LooseRecipe;
  readonly entries: readonly EntryText[];
}

/** Reading takes about 1 ms a kilobyte. */
export const LARGEST_TEXT = 64 * 1024;

export function readRecipeText(text: string): RecipeText {
  if (text.length > LARGEST_TEXT) return { text, examined: undefined, recipe: {}, entries: [] };
  const examined = examineRecipe(text);
  const value = isObject(examined.value) ? examined.value : {};
  return { text, examined, recipe: examined.recipe ?? looseRecipe(value), entries: entriesOf(value, examined) };
}

function looseRecipe(value: Readonly<Record<string, unknown>>): LooseRecipe {
  const valid: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(recipeSchema.shape)) {
    const parsed = schema.safeParse(value[key]);
    if (parsed.success && parsed.data !== undefined) valid[key] = parsed.data;
  }
  const layers = value['layers'];
  if (Array.isArray(layers))
    valid['layers'] = layers.flatMap((entry) => layerOverrideSchema.safeParse(entry).data ?? []);
  return valid;
}

function entriesOf(value: Readonly<Record<string, unknown>>, { document }: ExaminedRecipe): EntryText[] {
  const layers = value['layers'];
  if (!Array.isArray(layers)) return [];
  return layers.flatMap((entry: unknown, index): EntryText[] => {
    if (!isObject(entry) || typeof entry['select'] !== 'string') return [];
    const at = spanOf(nodeAt(document, ['layers', index, 'select']));
    const whole = spanOf(nodeAt(document, ['layers', index]));
    const override = layerOverrideSchema.safeParse(entry).data;
    return [{ index, select: entry['select'], at, whole, override }];
  });
}

export function spanOf(node: Node | null | undefined): Span {
  const [start, end] = node?.range ?? [0, 0];
  return { start, end };
}

/** Where the value at a path stands, or the nearest part above that exists. */
export function spanAt({ examined }: RecipeText, path: readonly PropertyKey[]): Span {
  return examined === undefined ? { start: 0, end: 0 } : spanOf(nodeAt(examined.document, path));
}

/** Where a key itself stands; the start of the text where it does not. */
export function keySpan({ examined }: RecipeText, path: readonly PropertyKey[], key: string): Span {
  return examined === undefined ? { start: 0, end: 0 } : spanOf(nodeAt(examined.document, path, key));
}

/** What stands at an offset. */
export interface TextPlace {
  /** Keys and indices from the top; the last one is the key itself where the offset lies on it. */
  readonly path: readonly PropertyKey[];
  readonly on: 'key' | 'value';
  readonly node: Node;
}

/** The innermost key or value at an offset; `undefined` between them. */
export function placeAt(examined: ExaminedRecipe, offset: number): TextPlace | undefined {
  return examined.document.contents === null ? undefined : locate(examined.document.contents, offset, []);
}

function locate(node: Node, offset: number, path: readonly PropertyKey[]): TextPlace | undefined {
  const touches = (candidate: unknown): candidate is Node => {
    const { range } = (candidate ?? {}) as Partial<Node>;
    return range !== undefined && range !== null && range[0] <= offset && offset <= range[1];
  };
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const inner = [...path, String(key.value)];
      if (touches(key)) return { path: inner, on: 'key', node: key };
      if (touches(value)) return locate(value, offset, inner);
    }
    return undefined;
  }
  if (isSeq(node)) {
    const index = node.items.findIndex(touches);
    return index < 0 ? undefined : locate(node.items[index] as Node, offset, [...path, index]);
  }
  return { path, on: 'value', node };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
