/** The recipe as a text: read with messages that name key, line and column; written with comments. */

import { Document, isNode, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml';
import { QuantscopeError, toQuantscopeError } from './errors';
import { recipeSchema, type Recipe } from './recipe';
import { describeIssues, nodeAt, type DescribedIssue, type IssueKind, type Place } from './recipeIssues';

export type RecipeDocument = Document.Parsed;

export interface ParsedRecipe {
  readonly recipe: Recipe;
  /** The text as a tree with comments and positions, for edits that keep the rest as it is. */
  readonly document: RecipeDocument;
}

/** What is wrong with a recipe's text. */
export interface RecipeProblem extends Omit<DescribedIssue, 'kind' | 'path'> {
  readonly kind: 'syntax' | 'empty' | IssueKind;
  /** Offsets into the text. */
  readonly start: number;
  readonly end: number;
}

export interface ExaminedRecipe {
  readonly document: RecipeDocument;
  /** The text as a value, whatever it is; `undefined` where the syntax is broken. */
  readonly value: unknown;
  /** `undefined` where there are problems. */
  readonly recipe: Recipe | undefined;
  /** In the order of the text. */
  readonly problems: readonly RecipeProblem[];
  readonly at: (offset: number) => Place;
}

/** Reads a recipe as far as it can be read. Never throws. */
export function examineRecipe(text: string): ExaminedRecipe {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, merge: true, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line, column: col };
  };
  const examined = { document, value: undefined, recipe: undefined, at };
  const syntax = document.errors.map(({ message, pos: [start, end] }) => {
    return { kind: 'syntax', start, end, message: sentence(message) } as const;
  });
  if (syntax.length > 0) return { ...examined, problems: syntax };
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases that multiply each other without end, or refer to nothing.
    const { message } = toQuantscopeError(error);
    return { ...examined, problems: [{ kind: 'syntax', start: 0, end: 0, message }] };
  }
  if (value === null) {
    const message = 'The recipe is empty; it needs at least `model`.';
    return { ...examined, problems: [{ kind: 'empty', start: 0, end: 0, message }] };
  }
  const parsed = recipeSchema.safeParse(value);
  if (parsed.success) return { ...examined, value, recipe: parsed.data, problems: [] };
  const problems = describeIssues(parsed.error.issues, recipeSchema, value).map(({ path: keys, ...issue }) => {
    const [start, end] = nodeAt(document, keys, issue.key)?.range ?? [0, 0];
    return { ...issue, start, end };
  });
  return { ...examined, value, problems: problems.toSorted((a, b) => a.start - b.start) };
}

/**
 * @param name of the file, for messages
 * @throws `recipe-invalid` with every problem at once, one a line as `file:line:column: what is wrong`
 */
export function parseRecipe(text: string, name: string): ParsedRecipe {
  const { document, recipe, problems, at } = examineRecipe(text);
  if (recipe !== undefined) return { recipe, document };
  const lines = problems.map(({ start, message }) => {
    const { line, column } = at(start);
    return `${name}:${line}:${column}: ${message}`;
  });
  throw new QuantscopeError('recipe-invalid', lines.join('\n'));
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
