/** The recipe's schema as completion and hover ask it. */

import { z } from 'zod';
import { schemasAt, type JsonSchema } from '../shared/recipeIssues';
import { recipeSchema } from '../shared/recipe';

export const RECIPE_JSON_SCHEMA = z.toJSONSchema(recipeSchema) as JsonSchema;

export interface KeyInfo {
  readonly key: string;
  readonly schema: JsonSchema;
  readonly description: string;
  readonly required: boolean;
}

/** The keys that may stand in the block at a path. */
export function keysAt(path: readonly PropertyKey[]): readonly KeyInfo[] {
  return schemasAt(RECIPE_JSON_SCHEMA, path).flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).map(([key, schema]) => {
      return { key, schema, description: schema.description ?? '', required: required.includes(key) };
    }),
  );
}

export function keyInfo(path: readonly PropertyKey[]): KeyInfo | undefined {
  return keysAt(path.slice(0, -1)).find(({ key }) => key === path.at(-1));
}

/** The values that may be written at a path, where they can be told one by one. */
export function valuesAt(path: readonly PropertyKey[]): readonly string[] {
  return schemasAt(RECIPE_JSON_SCHEMA, path).flatMap(({ enum: values, const: only, type }) => {
    if (values !== undefined) return values.map(String);
    if (only !== undefined) return [String(only)];
    return type === 'boolean' ? ['true', 'false'] : [];
  });
}

/** What kind of value a schema takes, in words: `a number`, `ort-cpu, fbgemm, …`. */
export function kindOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(', or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.prefixItems !== undefined) return `[${schema.prefixItems.map(kindOf).join(', ')}]`;
  if (schema.type === 'array') {
    const item = kindOf(schema.items ?? {});
    return /^a [\w ]+$/.test(item) && schema.items?.type !== 'array'
      ? `a list of ${item.slice(2)}s`
      : `a list, each ${item}`;
  }
  const kinds: Readonly<Record<string, string>> = {
    string: 'a text',
    number: 'a number',
    integer: 'a whole number',
    boolean: '`true`, `false`',
    object: 'a block',
  };
  return kinds[schema.type ?? ''] ?? 'any value';
}

/** The key that the value at a path belongs to, list entries aside; '' at the top. */
export function lastKey(path: readonly PropertyKey[]): string {
  return path.findLast((part) => typeof part === 'string') ?? '';
}
