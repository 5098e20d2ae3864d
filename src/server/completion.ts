/** What can be typed: keys with their meaning, values, layers of the model, paths of the disk. */

import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import type { CompletionItem, CompletionItemKind } from 'vscode-languageserver';
import type { JsonSchema } from '../shared/recipeIssues';
import { scopeOf } from '../shared/selectors';
import { cursorAt, type Cursor } from './cursor';
import { SYNTHETIC, type Facts, type LayerNode } from './facts';
import { yamlText } from './findings/finding';
import { MODES, TORCH_BACKENDS, TORCH_MODES } from '../shared/recipe';
import { keysAt, lastKey, valuesAt } from './schema';
import type { Span } from './recipeText';
import { meaningOf, statusText } from './words';
import { plural } from '../shared/format';
import { measuredText } from '../shared/measured';

/** Numbers of the protocol (CompletionItemKind). */
const KIND = { property: 10, value: 12, enumMember: 20, file: 17, folder: 19, layer: 7, pattern: 22 } as const;

export interface Completion {
  readonly items: readonly CompletionItem[];
  /** What each item replaces. */
  readonly span: Span;
  /** There are more; the next letter asks again. */
  readonly incomplete: boolean;
}

/** Editors get slow with more. */
const MOST_ITEMS = 500;

export interface CompletionRequest {
  readonly text: string;
  readonly offset: number;
  readonly facts: Facts;
  /** Of the recipe; `undefined` where it lies on no disk. */
  readonly folder: string | undefined;
  /** Commands of the client. */
  readonly commands: ReadonlySet<string>;
}

export async function complete(request: CompletionRequest): Promise<Completion> {
  const { text, offset } = request;
  const cursor = cursorAt(text, offset);
  if (cursor === undefined) return { items: [], span: { start: offset, end: offset }, incomplete: false };
  const items = cursor.kind === 'key' ? keyItems(cursor, request.commands) : [];
  const values = await valueItems(cursor, { ...request, isTorch: TORCH.test(text) });
  // Inside quotation marks nothing else needs any.
  const all = [...items, ...(cursor.quoted ? values.map((value) => ({ ...value, insertText: value.label })) : values)];
  return { items: all.slice(0, MOST_ITEMS), span: cursor.span, incomplete: all.length > MOST_ITEMS };
}

/** Shows the values behind a key that was just put in. */
const SUGGEST = 'editor.action.triggerSuggest';
/** InsertTextMode.asIs: lines that are put in are indented already. */
const AS_IS = 1;

function keyItems(cursor: Cursor, commands: ReadonlySet<string>): CompletionItem[] {
  return keysAt(cursor.path)
    .filter(({ key }) => !cursor.siblings.includes(key))
    .map(({ key, schema, description, required }, index) => ({
      label: key,
      kind: KIND.property,
      ...(required ? { detail: 'required' } : {}),
      documentation: { kind: 'markdown', value: description },
      // In the order of the schema, what is needed first.
      sortText: `${required ? 0 : 1}${String(index).padStart(3, '0')}`,
      insertText: `${key}:${cursor.flow ? ' ' : afterKey(schema, cursor)}`,
      insertTextMode: AS_IS,
      ...(commands.has(SUGGEST) ? { command: { title: 'Suggest values', command: SUGGEST } } : {}),
    }));
}

/** A list begins on a line of its own, a block too; everything else behind the colon. */
function afterKey(schema: JsonSchema, { indent }: Cursor): string {
  const next = `\n${' '.repeat(indent + 2)}`;
  if (schema.type === 'array' && schema.items?.type === 'object') return `${next}- `;
  return schema.type === 'object' ? next : ' ';
}

/** Also of a text that is broken where something is being typed. */
const TORCH = /^["']?framework["']?\s*:\s*["']?torch\b/m;

interface ValueRequest extends Pick<CompletionRequest, 'facts' | 'folder'> {
  readonly isTorch: boolean;
}

/** Of what the schema allows at a key of the top, what the framework has. */
function valuesFor(at: readonly PropertyKey[], isTorch: boolean): readonly string[] {
  const [key, ...below] = at;
  const values = valuesAt(at);
  if (below.length > 0) return values;
  if (key === 'mode') return isTorch ? TORCH_MODES : MODES;
  return key === 'backend' && isTorch ? TORCH_BACKENDS : values;
}

async function valueItems(cursor: Cursor, { facts, folder, isTorch }: ValueRequest): Promise<CompletionItem[]> {
  const { path: at } = cursor;
  const key = lastKey(at);
  if (cursor.kind === 'value' && key === 'select') return selectorItems(facts);
  const values = valuesFor(at, isTorch).map((value, index): CompletionItem => {
    const meaning = meaningOf(key, value);
    return {
      label: value,
      kind: KIND.enumMember,
      ...(meaning === undefined ? {} : { documentation: { kind: 'markdown', value: meaning } }),
      sortText: String(index).padStart(4, '0'),
    };
  });
  const isPath = PATHS.has(at.filter((part) => typeof part === 'string').join('.'));
  return isPath && folder !== undefined ? [...values, ...(await pathItems(cursor, folder, isTorch))] : values;
}

const PATHS: ReadonlySet<string> = new Set([
  'model',
  'calibration.data',
  'validate.data',
  'validate.labels',
  'torch.weights',
]);
const DATA = /\.(?:npy|npz|pb|jsonl|js|mjs|cjs)$/i;
const FITS: Readonly<Record<string, RegExp>> = {
  model: /\.onnx$/i,
  labels: /\.(?:tsv|txt)$/i,
  data: DATA,
  weights: /\.(?:pt|pth)$/i,
};
/** A factory follows behind the colon of a Python file. */
const TORCH_MODEL = /\.(?:py|pt|pth|pkl)$/i;

/** Files and folders that go on from what is typed. */
async function pathItems({ path: at, typed }: Cursor, folder: string, isTorch: boolean): Promise<CompletionItem[]> {
  const key = lastKey(at);
  const fits = key === 'model' && isTorch ? TORCH_MODEL : FITS[key];
  const slash = typed.lastIndexOf('/') + 1;
  const parent = typed.slice(0, slash);
  const entries = await readdir(path.resolve(folder, parent), { withFileTypes: true }).catch(() => []);
  const found = entries
    .filter((entry) => !entry.name.startsWith('.') && !entry.name.endsWith('.quant') && entry.name !== 'node_modules')
    .filter((entry) => entry.isDirectory() || fits?.test(entry.name) === true)
    .map((entry): CompletionItem => {
      const name = `${parent}${entry.name}`;
      const kind = entry.isDirectory() ? KIND.folder : KIND.file;
      // Data is wanted where folders are, files where files are.
      const wanted = entry.isDirectory() === (key === 'data');
      return {
        label: name,
        kind,
        insertText: yamlText(name),
        filterText: name,
        sortText: `${wanted ? 'a' : 'b'}${name}`,
      };
    });
  if (key !== 'data') return found;
  const documentation = 'Random numbers; a last resort.';
  return [...found, { label: SYNTHETIC, kind: KIND.value, documentation, sortText: 'z' }];
}

/** Layers, then operators, then scopes, each with what it would mean. */
function selectorItems({ model, report }: Facts): CompletionItem[] {
  const nodes = (model?.nodes ?? []).filter(({ folds }) => !folds);
  const reported = new Map(report?.layers.map((layer) => [layer.name, layer]));
  const layers = nodes
    .filter(({ owner }) => owner === undefined)
    .map((node): CompletionItem => {
      const layer = reported.get(node.name);
      const figures =
        layer === undefined
          ? ''
          : `${statusText(layer)}${layer.local === null ? '' : `, ${measuredText(layer.local)}`}`;
      return item(node.name, KIND.layer, node.op, figures);
    });
  const ops = countBy(nodes, ({ op }) => op).map(([op, count]) =>
    item(`op:${op}`, KIND.pattern, plural(count, 'node'), ''),
  );
  const scopes = scopesOf(nodes).flatMap(([scope, count]) => [
    item(`scope:${scope}`, KIND.pattern, plural(count, 'node'), ''),
    item(`**/${scope}/**`, KIND.pattern, 'glob', `${plural(count, 'node')} or more, at any depth`),
  ]);
  return [...layers, ...ops, ...scopes].map((found, index) => ({ ...found, sortText: String(index).padStart(5, '0') }));
}

function item(label: string, kind: CompletionItemKind, detail: string, documentation: string): CompletionItem {
  return {
    label,
    kind: kind,
    detail,
    ...(documentation === '' ? {} : { documentation }),
    insertText: yamlText(label),
    filterText: label,
  };
}

function countBy(nodes: readonly LayerNode[], key: (node: LayerNode) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const node of nodes) counts.set(key(node), (counts.get(key(node)) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Every scope with all that lies in it, however deep. */
function scopesOf(nodes: readonly LayerNode[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { name, path } of nodes) {
    for (let scope = scopeOf(path ?? name); scope !== ''; scope = scopeOf(scope))
      counts.set(scope, (counts.get(scope) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).sort(([a], [b]) => (a < b ? -1 : 1));
}
