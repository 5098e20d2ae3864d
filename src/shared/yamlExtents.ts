/** Where the parts of a YAML text stand in it. */

import { isCollection, isNode, isPair, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';

/** Offsets of a pair or of an element of a list: from its first character to behind its last. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Of the elements of a collection that was parsed with `keepSourceTokens`. */
export function extentsOf(collection: YAMLMap | YAMLSeq): Extent[] {
  const token = collection.srcToken;
  if (token === undefined || !('items' in token)) throw new TypeError('The document was parsed without its tokens.');
  // Comments behind the last element are an item of their own.
  const tokens = token.items.filter(
    (item) => item.value !== undefined || (item.key !== undefined && item.key !== null) || hasIndicator(item),
  );
  const items: readonly unknown[] = collection.items;
  return tokens.slice(0, items.length).map((item, index) => {
    const start =
      item.start.find(({ type }) => !SPACE.has(type))?.offset ?? item.key?.offset ?? item.value?.offset ?? 0;
    return { start, end: endOf(items[index], start + 1) };
  });
}

const SPACE: ReadonlySet<string> = new Set(['space', 'comment', 'newline', 'comma']);

function hasIndicator({ start }: { readonly start: readonly { readonly type: string }[] }): boolean {
  return start.some(({ type }) => type === 'seq-item-ind' || type === 'explicit-key-ind');
}

/** Behind the `:` of a pair, or behind its key where it has none. */
export function behindColon({ key, srcToken }: Pair): number {
  const colon = srcToken?.sep?.find(({ type }) => type === 'map-value-ind');
  if (colon !== undefined) return colon.offset + 1;
  return isNode(key) ? extentOf(key).end : 0;
}

/** Both 0 for a node that is not from a text. */
export function extentOf(node: Node): Extent {
  const [start = 0, end = start] = node.range ?? [];
  return { start, end };
}

/** Behind the last character of a pair or node that is no comment; `fallback` where it has none. */
export function endOf(item: unknown, fallback: number): number {
  if (isPair(item)) return endOf(item.value, behindColon(item));
  if (!isNode(item)) return fallback;
  const { start, end } = extentOf(item);
  if (isCollection(item) && item.flow !== true) return endOf(item.items.at(-1), fallback);
  return start === end ? fallback : end;
}

/** In spaces. */
export function indentOf(collection: YAMLMap | YAMLSeq): number {
  const token = collection.srcToken;
  return token !== undefined && 'indent' in token ? token.indent : 0;
}
