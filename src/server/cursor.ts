/**
 * What may be typed at a place of an unfinished text. A placeholder is put there, so that the YAML
 * becomes whole again and tells in which block the place lies.
 */

import { isMap, isScalar, isSeq, parseDocument, type Node } from 'yaml';
import type { Span } from './recipeText';

export interface Cursor {
  /** Keys and indices of the block (for keys), or of the value itself. */
  readonly path: readonly PropertyKey[];
  readonly kind: 'key' | 'value';
  /** What is replaced: the word around the cursor. */
  readonly span: Span;
  /** The word as far as it is typed. */
  readonly typed: string;
  /** Keys that the block has already, or the texts of the list. */
  readonly siblings: readonly string[];
  /** Whether the place lies inside quotation marks. */
  readonly quoted: boolean;
  /** Whether the place lies inside flow brackets. */
  readonly flow: boolean;
  /** Indentation of the line, for blocks that are put in. */
  readonly indent: number;
}

const PLACEHOLDER = 'quantscope_cursor';

/** `undefined` inside comments, and where nothing of a recipe can stand. */
export function cursorAt(text: string, offset: number): Cursor | undefined {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.slice(offset).search(/\r?\n/);
  const lineEnd = newline < 0 ? text.length : offset + newline;
  const before = text.slice(lineStart, offset);
  if (/(?:^|\s)#/.test(before)) return undefined;
  const quote = openQuote(before);
  const word = wordAround(text, lineStart, offset, lineEnd, quote);
  const rest = text.slice(word.end, lineEnd);
  const head = text.slice(lineStart, word.start);
  const asValue = /:\s+["']?$/.test(head);
  const followed = /^\s*:/.test(rest);
  // A bare word at the start of a line or after a dash becomes a key by its colon; in a flow list it is one anyway.
  const asKey = !asValue && !followed && /^\s*(?:-\s+)*$/.test(head);
  const closing = quote === undefined || rest.startsWith(quote) ? '' : quote;
  const placed = `${text.slice(0, word.start)}${PLACEHOLDER}${closing}${asKey ? ':' : ''}${text.slice(word.end)}`;
  const document = parseDocument(placed, { prettyErrors: false, logLevel: 'silent', merge: true });
  const found = document.contents === null ? undefined : find(document.contents, [], false);
  if (found === undefined) return undefined;
  const indent = /^[\s-]*/.exec(before)?.[0].length ?? 0;
  return { ...found, span: word, typed: text.slice(word.start, offset), indent, quoted: quote !== undefined };
}

/** Words of a recipe hold slashes, colons, dots and stars; inside a pair of quotes everything up to them. */
function wordAround(text: string, lineStart: number, offset: number, lineEnd: number, quote: string | undefined): Span {
  const ends = quote === undefined ? /[\s,[\]{}#]/ : new RegExp(quote);
  let start = offset;
  while (start > lineStart && !ends.test(text[start - 1]!) && !endsKey(text, start)) start--;
  let end = offset;
  while (end < lineEnd && !ends.test(text[end]!) && !(text[end] === ':' && /\s/.test(text[end + 1] ?? ' '))) end++;
  return { start, end };
}

/** Whether what lies before is `key:` with a space after it, so that a value begins here. */
function endsKey(text: string, at: number): boolean {
  return text[at - 1] === ':' && /\s/.test(text[at] ?? ' ') && at < text.length;
}

function openQuote(before: string): string | undefined {
  let open: string | undefined;
  for (const char of before) {
    if (open === undefined && (char === '"' || char === "'")) open = char;
    else if (char === open) open = undefined;
  }
  return open;
}

type Found = Pick<Cursor, 'path' | 'kind' | 'siblings' | 'flow'>;

function find(node: Node, path: readonly PropertyKey[], flow: boolean): Found | undefined {
  if (isScalar(node)) {
    return node.value === PLACEHOLDER ? { path, kind: 'value', siblings: [], flow } : undefined;
  }
  if (isMap(node)) {
    const inFlow = flow || node.flow === true;
    const keys = node.items.flatMap(({ key }) => (isScalar(key) ? [String(key.value)] : []));
    if (keys.includes(PLACEHOLDER)) {
      return { path, kind: 'key', siblings: keys.filter((key) => key !== PLACEHOLDER), flow: inFlow };
    }
    for (const { key, value } of node.items) {
      if (!isScalar(key) || value === null || value === undefined) continue;
      const found = find(value as Node, [...path, String(key.value)], inFlow);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isSeq(node)) return undefined;
  for (const [index, item] of node.items.entries()) {
    const found = find(item as Node, [...path, index], flow || node.flow === true);
    if (found === undefined) continue;
    const texts = node.items.flatMap((other) => (isScalar(other) ? [String(other.value)] : []));
    return found.kind === 'value' && found.path.length === path.length + 1 ? { ...found, siblings: texts } : found;
  }
  return undefined;
}
