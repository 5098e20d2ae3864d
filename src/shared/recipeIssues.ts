/** What the schema finds wrong, in words that help: the key, what is allowed, and what was probably meant. */

import { isAlias, isMap, isNode, isScalar, isSeq, type Document, type Node } from 'yaml';
import { z } from 'zod';
import { closest } from './closest';

/** Both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export const ISSUE_KINDS = ['unknown-key', 'missing-key', 'invalid-value'] as const;
export type IssueKind = (typeof ISSUE_KINDS)[number];

export interface DescribedIssue {
  readonly kind: IssueKind;
  /** Keys and indices from the top to the value that is wrong. */
  readonly path: readonly PropertyKey[];
  /** The key inside that value which is wrong itself, not its value. */
  readonly key?: string;
  /** One sentence that names the key. */
  readonly message: string;
  /** What was probably meant instead of the key or the value. */
  readonly suggestion?: string;
}

type Issue = z.core.$ZodIssue;

type JsonScalar = string | number | boolean;

/** The part of JSON schema that `z.toJSONSchema` makes of our schemas. */
export interface JsonSchema {
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly JsonScalar[];
  readonly const?: JsonScalar;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/** @param value the whole that was parsed with `schema` */
export function describeIssues(issues: readonly Issue[], schema: z.ZodType, value: unknown): DescribedIssue[] {
  const json = z.toJSONSchema(schema) as JsonSchema;
  return issues.flatMap((issue) => describeIssue(issue, json, value));
}

function describeIssue(issue: Issue, json: JsonSchema, root: unknown): DescribedIssue[] {
  const { path } = issue;
  const value = valueAt(root, path);
  const name = path.length === 0 ? 'The recipe' : `\`${keyName(path)}\``;
  const wrong = (message: string, kind: IssueKind = 'invalid-value'): DescribedIssue[] => [
    { kind, path, message: `${name} ${message}` },
  ];
  const shown = shortJson(value);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = keysAt(json, path);
        const list = known.length > 0 ? `; the keys here are ${known.join(', ')}` : '';
        const meant = closest(key, known);
        const message = `\`${keyName([...path, key])}\` is no key of a recipe${meant === undefined ? list : ''}.`;
        return suggesting({ kind: 'unknown-key', path, key, message }, meant);
      });
    case 'invalid_union':
      return describeUnion(issue.errors, path, json, root) ?? wrong(`must not be ${shown}.`);
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const meant = typeof value === 'string' ? closest(value, allowed) : undefined;
      return wrong(`must be ${oneOf(allowed)}, not ${shown}.`).map((issue) => suggesting(issue, meant));
    }
    case 'invalid_type':
      return value === undefined
        ? wrong('is missing.', 'missing-key')
        : wrong(`must be ${article(issue.expected)}, not ${shown}.`);
    case 'too_small':
      return wrong(`must be ${issue.inclusive === false ? 'more than' : 'at least'} ${amount(issue, issue.minimum)}.`);
    case 'too_big':
      return wrong(`must be ${issue.inclusive === false ? 'less than' : 'at most'} ${amount(issue, issue.maximum)}.`);
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return wrong(`does not do as ${shown}: ${issue.message}.`);
  }
}

/** With the suggestion as a field and as the end of the message. */
function suggesting(issue: DescribedIssue, suggestion: string | undefined): DescribedIssue {
  if (suggestion === undefined) return issue;
  return { ...issue, message: `${issue.message} Did you mean "${suggestion}"?`, suggestion };
}

/** Limits are told as what they count; of numbers, the number itself. */
function amount({ origin }: { readonly origin: string }, limit: number | bigint): string {
  const unit = { string: 'characters', array: 'entries' }[origin];
  return unit === undefined
    ? String(limit)
    : `${limit} ${limit === 1 ? unit.replace(/ies$/, 'y').replace(/s$/, '') : unit} long`;
}

/** Complaints about a value whose kind is right. */
const INSIDE: ReadonlySet<string> = new Set(['unrecognized_keys', 'too_small', 'too_big']);

/**
 * Of the alternatives, the one that the value comes nearest to: one whose complaint lies inside the value; where
 * none does, all the kinds of value that are allowed.
 */
function describeUnion(
  branches: readonly (readonly Issue[])[],
  path: readonly PropertyKey[],
  json: JsonSchema,
  root: unknown,
): DescribedIssue[] | undefined {
  const absolute = branches.map((issues) => issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })));
  const inside = absolute.find((issues) =>
    issues.every((issue) => issue.path.length > path.length || INSIDE.has(issue.code)),
  );
  if (inside !== undefined) return inside.flatMap((issue) => describeIssue(issue, json, root));
  const value = valueAt(root, path);
  const words = absolute.flat().flatMap((issue) => (issue.code === 'invalid_value' ? issue.values.map(String) : []));
  const kinds = absolute.flat().flatMap((issue) => (issue.code === 'invalid_type' ? [article(issue.expected)] : []));
  const allowed = [...new Set([...words, ...kinds])];
  if (allowed.length === 0) return undefined;
  const message = `\`${keyName(path)}\` must be ${oneOf(allowed)}, not ${shortJson(value)}.`;
  const meant = typeof value === 'string' ? closest(value, words) : undefined;
  return [suggesting({ kind: 'invalid-value', path, message }, meant)];
}

/** The keys of the object at a path; of every object that may stand there. */
function keysAt(json: JsonSchema, path: readonly PropertyKey[]): string[] {
  return schemasAt(json, path).flatMap((schema) => Object.keys(schema.properties ?? {}));
}

/** The schemas of what may stand at a path, each of them without alternatives of its own. */
export function schemasAt(json: JsonSchema, path: readonly PropertyKey[]): readonly JsonSchema[] {
  let level = [json];
  for (const key of path) {
    level = level.flatMap(alternatives).flatMap((schema) => {
      const next =
        typeof key === 'number' ? (schema.prefixItems?.[key] ?? schema.items) : schema.properties?.[String(key)];
      return next === undefined ? [] : [next];
    });
  }
  return level.flatMap(alternatives);
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(alternatives);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    root,
  );
}

/** `layers[2].select` */
function keyName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return `${name}[${key}]`;
    return name === '' ? String(key) : `${name}.${String(key)}`;
  }, '');
}

const LONGEST = 60;

function shortJson(value: unknown): string {
  let text: string;
  try {
    text = value === undefined ? 'nothing' : typeof value === 'number' ? String(value) : JSON.stringify(value);
  } catch {
    return 'a value that contains itself';
  }
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function oneOf(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a block of keys',
};

function article(expected: string): string {
  return KINDS[expected] ?? expected;
}

/** The node a path leads to through aliases, as deep as it goes; with `key`, the key itself. */
export function nodeAt(document: Document, path: readonly PropertyKey[], key?: string): Node | null {
  let node: Node | null = document.contents;
  for (const step of path) {
    const target = resolve(document, node);
    const next: unknown = isMap(target) || isSeq(target) ? target.get(step, true) : undefined;
    if (!isNode(next)) break;
    node = next;
  }
  const map = resolve(document, node);
  if (key === undefined || !isMap(map)) return node;
  const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  return pair !== undefined && isNode(pair.key) ? pair.key : node;
}

function resolve(document: Document, node: Node | null): Node | null | undefined {
  return isAlias(node) ? node.resolve(document) : node;
}
