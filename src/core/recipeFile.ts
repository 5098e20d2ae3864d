/** The recipe as a file: read with messages that name key, line and column; written with comments. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Document, isNode, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';
import { recipeSchema, type Recipe } from '../shared/recipe';
import { describeIssues, nodeAt, type Place } from './recipeIssues';

export type RecipeDocument = Document.Parsed;

export interface ParsedRecipe {
  readonly recipe: Recipe;
  /** The text as a tree with comments and positions, for edits that keep the rest as it is. */
  readonly document: RecipeDocument;
}

/** Where the recipe of a model lies: `NAME.quant.yaml` beside it. */
export function recipePath(model: string): string {
  const { dir, name } = path.parse(model);
  return path.join(dir, `${name}.quant.yaml`);
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

/**
 * @param name of the file, for messages
 * @throws `recipe-invalid` with every problem at once, one a line as `file:line:column: what is wrong`
 */
export function parseRecipe(text: string, name: string): ParsedRecipe {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, merge: true, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line, column: col };
  };
  const syntax = document.errors.map(({ message, pos }) => ({ place: at(pos[0]), message: sentence(message) }));
  if (syntax.length > 0) throw invalid(name, syntax);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases that multiply each other without end, or refer to nothing.
    const { message } = toQuantscopeError(error);
    throw invalid(name, [{ place: at(0), message }]);
  }
  if (value === null)
    throw invalid(name, [{ place: at(0), message: 'The recipe is empty; it needs at least `model`.' }]);
  const parsed = recipeSchema.safeParse(value);
  if (parsed.success) return { recipe: parsed.data, document };
  const problems = describeIssues(parsed.error.issues, recipeSchema, value).map(({ path: keys, key, message }) => {
    const node = nodeAt(document, keys, key);
    return { place: at(node?.range?.[0] ?? 0), message };
  });
  throw invalid(name, problems);
}

interface Problem {
  readonly place: Place;
  readonly message: string;
}

function invalid(name: string, problems: readonly Problem[]): QuantscopeError {
  const ordered = problems.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const lines = ordered.map(({ place, message }) => `${name}:${place.line}:${place.column}: ${message}`);
  return new QuantscopeError('recipe-invalid', lines.join('\n'));
}

function sentence(message: string): string {
  const text = message.trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Comments by key, with a dot between nested ones: `calibration.data`; `''` is the head of the file. */
export type RecipeComments = Readonly<Record<string, string>>;

/** A new recipe file. A comment stands on the lines above its key; `after` follows the last key. */
export function recipeText(recipe: Recipe, comments: RecipeComments = {}, after = ''): string {
  const document = new Document(recipe);
  const map = document.contents as unknown as YAMLMap;
  visit(document, {
    Pair(_, pair, ancestors) {
      const keys = [...ancestors, pair].flatMap((node) =>
        'key' in node && isNode(node.key) ? [String(node.key)] : [],
      );
      const comment = comments[keys.join('.')];
      if (comment === undefined || !isNode(pair.key)) return;
      pair.key.commentBefore = commented(comment);
      if (keys.length === 1 && pair !== map.items[0]) pair.key.spaceBefore = true;
    },
    // A list of numbers reads better on one line.
    Seq(_, seq) {
      seq.flow = true;
    },
  });
  const head = comments[''];
  if (head !== undefined) document.commentBefore = commented(head);
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false });
  return after === '' ? text : `${text}\n${commented(after).replace(/^/gm, '#')}\n`;
}

/** The library puts the `#` itself, and nothing between it and the text. */
function commented(text: string): string {
  return text.replace(/^(?=.)/gm, ' ');
}
