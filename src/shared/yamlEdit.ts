/**
 * Changes to a YAML text that make it say something else, and leave comments, order and style of everything
 * that stays the same as they are.
 */

import {
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  visit,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { behindColon, endOf, extentOf, extentsOf, indentOf, type Extent } from './yamlExtents';
import { YamlWriter } from './yamlWriter';

/** Replaces the characters from `start` up to `end`, offsets into the old text, by `text`. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * @param document of the text, parsed with `keepSourceTokens` and without errors; its content is a map
 * @param target what the text is to mean; a new key goes behind the one before it in the target
 * @returns in ascending order, without overlap
 */
export function yamlEdits(text: string, document: Document.Parsed, target: unknown): TextChange[] {
  const editor = new YamlEditor(text, document);
  editor.update({ node: document.contents, after: 0, inFlow: false, indent: 0 }, document.toJS(), target);
  return editor.finish();
}

/** The text with the changes made, which are in ascending order. */
export function applyChanges(text: string, changes: readonly TextChange[]): string {
  let result = '';
  let from = 0;
  for (const { start, end, text: inserted } of changes) {
    result += text.slice(from, start) + inserted;
    from = end;
  }
  return result + text.slice(from);
}

/** Equal as YAML values: the order of keys does not count. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Keyed, b as Keyed];
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameValue(left[key], right[key]))
  );
}

type Keyed = Readonly<Record<string, unknown>>;

/** Where a value stands. */
interface Slot {
  readonly node: Node | null;
  /** Behind the `:` or `-` before it. */
  readonly after: number;
  readonly inFlow: boolean;
  /** Of the collection it is in. */
  readonly indent: number;
}

class YamlEditor {
  readonly #text: string;
  readonly #document: Document.Parsed;
  readonly #writer: YamlWriter;
  readonly #changes: TextChange[] = [];
  /** Nodes whose value changes or that go away: what refers to them by an alias has to get the former value. */
  readonly #changed = new Set<Node>();

  constructor(text: string, document: Document.Parsed) {
    this.#text = text;
    this.#document = document;
    this.#writer = new YamlWriter(text, document);
  }

  finish(): TextChange[] {
    visit(this.#document, {
      Alias: (_, alias) => {
        const source = alias.resolve(this.#document);
        if (source === undefined || !this.#changed.has(source) || this.#changed.has(alias)) return;
        this.#replace(extentOf(alias), this.#writer.flow(source.toJS(this.#document)));
      },
    });
    return this.#changes.toSorted((a, b) => a.start - b.start);
  }

  update(slot: Slot, current: unknown, target: unknown): void {
    if (sameValue(current, target)) return;
    const { node } = slot;
    if (node !== null) this.#changed.add(node);
    if (isMap(node) && isKeyed(current) && isKeyed(target)) this.#updateMap(node, current, target);
    else if (isSeq(node) && node.items.length > 0 && Array.isArray(current) && Array.isArray(target))
      this.#updateSeq(node, current, target);
    else this.#write(slot, target);
  }

  #updateMap(map: YAMLMap, current: Keyed, target: Keyed): void {
    const own = new Map(map.items.map((pair) => [keyOf(pair), pair]));
    let before: Pair | undefined;
    for (const [key, value] of Object.entries(target)) {
      const pair = own.get(key);
      if (pair === undefined) {
        if (!sameValue(current[key], value)) this.#insert(map, before, key, value);
      } else {
        this.update(this.#slotOf(map, pair), current[key], value);
        before = pair;
      }
    }
    const gone = map.items.filter((pair) => Object.hasOwn(current, keyOf(pair)) && !Object.hasOwn(target, keyOf(pair)));
    this.#remove(map, gone);
  }

  #updateSeq(seq: YAMLSeq, current: readonly unknown[], target: readonly unknown[]): void {
    if (target.length < current.length) {
      let next = 0;
      const gone = seq.items.filter((_, index) => {
        const stays = next < target.length && sameValue(current[index], target[next]);
        if (stays) next++;
        return !stays;
      });
      this.#remove(seq, gone);
      return;
    }
    for (const [index, item] of seq.items.entries()) {
      const node = isNode(item) ? item : null;
      const after = extentsOf(seq)[index]!.start + (seq.flow === true ? 0 : 1);
      const slot = { node, after, inFlow: seq.flow === true, indent: indentOf(seq) };
      this.update(slot, current[index], target[index]);
    }
    for (const value of target.slice(current.length)) {
      if (seq.flow === true) this.#insertInFlow(seq, seq.items.length - 1, this.#writer.flow(value));
      else this.#insertLines(seq, seq.items.at(-1), this.#writer.item(value, indentOf(seq)));
    }
  }

  #slotOf(map: YAMLMap, pair: Pair): Slot {
    const node = isNode(pair.value) ? pair.value : null;
    return { node, after: behindColon(pair), inFlow: map.flow === true, indent: indentOf(map) };
  }

  /** A value in place of another that is no collection of the same kind. */
  #write({ node, after, inFlow, indent }: Slot, value: unknown): void {
    if (node !== null) this.#forget(node);
    const isBare = node === null || (node.tag === undefined && !hasAnchor(node));
    const isEmpty =
      node === null || (isScalar(node) && node.value === null) || (isSeq(node) && node.items.length === 0);
    if (isBare && isEmpty && !inFlow && isListOfMaps(value)) {
      const end = node === null ? after : Math.max(after, endOf(node, after));
      this.#replace({ start: after, end }, '');
      for (const item of value) this.#insertBelow(end, this.#writer.item(item, indent + 2));
      return;
    }
    const style = isScalar(node) ? node.type : undefined;
    const text = this.#writer.value(value, inFlow, style);
    const extent = node === null ? undefined : extentOf(node);
    if (extent === undefined || extent.start === extent.end) {
      this.#replace({ start: after, end: after }, ` ${text}`);
      return;
    }
    // A block scalar ends behind its last line.
    const tail = this.#text[extent.end - 1] === '\n' ? this.#writer.eol : '';
    this.#replace(extent, text + tail);
  }

  #insert(map: YAMLMap, before: Pair | undefined, key: string, value: unknown): void {
    const previous = before ?? map.items.at(-1);
    if (map.flow === true) {
      const index = previous === undefined ? -1 : map.items.indexOf(previous);
      this.#insertInFlow(map, index, this.#writer.flowPair(key, value));
      return;
    }
    const isBlock = map === this.#document.contents && isListOfMaps(value);
    this.#insertLines(map, previous, this.#writer.pair(key, value, indentOf(map)), isBlock);
  }

  /** New lines below a pair or element of a block collection. */
  #insertLines(collection: YAMLMap | YAMLSeq, previous: unknown, lines: string, isBlock = false): void {
    const index = collection.items.indexOf(previous as Pair);
    const { end } = extentsOf(collection)[index]!;
    this.#insertBelow(end, lines, indentOf(collection), isBlock);
  }

  /**
   * New lines below the line that an offset is in, and below comments that belong to what stands there.
   * @param isBlock whether a blank line parts them from what is above, where it does so with other blocks
   */
  #insertBelow(offset: number, lines: string, indent = Infinity, isBlock = false): void {
    const { eol } = this.#writer;
    let at = this.#belowLine(offset);
    for (;;) {
      const comment = /^( *)#/.exec(this.#text.slice(at, this.#lineEnd(at)));
      if (comment === null || comment[1]!.length <= indent) break;
      at = this.#nextLine(at);
    }
    const isCut = this.#text[at - 1] !== '\n';
    const below = this.#text.slice(at);
    const isParted = below === '' ? this.#writer.spaced : /^[ \t]*\r?\n/.test(below);
    const text = isBlock && isParted ? eol + lines : lines;
    this.#replace({ start: at, end: at }, isCut ? eol + text : text + eol);
  }

  #insertInFlow(collection: YAMLMap | YAMLSeq, index: number, inserted: string): void {
    if (index < 0) {
      const at = extentOf(collection).start + 1;
      const pad = isMap(collection) ? this.#writer.padding : '';
      const isTight = this.#text[at] === '}' || this.#text[at] === ']';
      this.#replace({ start: at, end: at }, pad + inserted + (isTight ? pad : ''));
      return;
    }
    const { start, end } = extentsOf(collection)[index]!;
    const comma = this.#comma(end);
    const line = this.#lineEnd(comma ?? end);
    const indent = /^[ \t]*$/.exec(this.#text.slice(this.#text.lastIndexOf('\n', start - 1) + 1, start))?.[0];
    const hasLine = /^\s*(?:\s#.*)?$/.test(this.#text.slice(comma ?? end, line)) && line < this.#text.length;
    if (indent === undefined || !hasLine) {
      this.#replace({ start: end, end }, `, ${inserted}`);
      return;
    }
    if (comma === undefined) this.#replace({ start: end, end }, ',');
    const tail = comma === undefined ? '' : ',';
    this.#replace({ start: line, end: line }, this.#writer.eol + indent + inserted + tail);
  }

  #remove(collection: YAMLMap | YAMLSeq, gone: readonly unknown[]): void {
    const items: readonly unknown[] = collection.items;
    for (const item of gone) this.#forgetAll(item);
    const extents = extentsOf(collection);
    const indices = gone.map((item) => items.indexOf(item));
    if (collection.flow === true) this.#removeFromFlow(extents, indices);
    else for (const run of this.#runs(indices.map((index) => extents[index]!))) this.#removeLines(run);
  }

  /** Those with nothing but blank lines between them together, so that what they have between them is removed once. */
  #runs(extents: readonly Extent[]): readonly Extent[] {
    const runs: Extent[] = [];
    for (const extent of extents) {
      const previous = runs.at(-1);
      const isNext =
        previous !== undefined && this.#text.slice(this.#belowLine(previous.end), extent.start).trim() === '';
      if (isNext) runs[runs.length - 1] = { start: previous.start, end: extent.end };
      else runs.push(extent);
    }
    return runs;
  }

  /** Whole lines; with a block between two blank lines goes one of them. */
  #removeLines({ start, end }: Extent): void {
    const first = this.#text.lastIndexOf('\n', start - 1) + 1;
    const last = this.#belowLine(end);
    const above = this.#text.slice(0, first);
    const blank = /\n([ \t]*\r?\n)$/.exec(above)?.[1]?.length ?? 0;
    const isBlankBelow = /^[ \t]*(?:\r?\n|$)/.test(this.#text.slice(last));
    // The last line of a text that does not end in a line break takes the break before it along.
    const lineBreak =
      last === this.#text.length && !this.#text.endsWith('\n') ? (/\r?\n$/.exec(above)?.[0].length ?? 0) : 0;
    this.#replace({ start: first - lineBreak - (isBlankBelow ? blank : 0), end: last }, '');
  }

  #removeFromFlow(extents: readonly Extent[], gone: readonly number[]): void {
    const last = extents.length - 1;
    const kept = extents.findLastIndex((_, index) => !gone.includes(index));
    if (kept >= 0 && kept < last && this.#comma(extents[last]!.end) === undefined) {
      // What becomes the last has a comma behind it.
      const comma = this.#comma(extents[kept]!.end)!;
      const spaces = /^[ \t]*(?=[^\s#])/.exec(this.#text.slice(comma))?.[0].length ?? 0;
      this.#replace({ start: comma - 1, end: comma + spaces }, '');
    }
    for (const index of gone) {
      const { start, end } = extents[index]!;
      const stop = this.#comma(end) ?? end;
      const line = { start: this.#text.lastIndexOf('\n', start - 1) + 1, end: this.#nextLine(stop) };
      const isAlone =
        line.start > 0 &&
        this.#text.slice(line.start, start).trim() === '' &&
        this.#text.slice(stop, line.end).trim() === '';
      const spaces = index === last ? 0 : /^[ \t]*/.exec(this.#text.slice(stop))![0].length;
      this.#replace(isAlone ? line : { start, end: stop + spaces }, '');
    }
  }

  /** Behind the comma that follows an offset. */
  #comma(offset: number): number | undefined {
    const match = /^\s*(?:#.*\n\s*)*,/.exec(this.#text.slice(offset));
    return match === null ? undefined : offset + match[0].length;
  }

  /** Before the line break. */
  #lineEnd(offset: number): number {
    const found = this.#text.indexOf('\n', offset);
    if (found < 0) return this.#text.length;
    return found > offset && this.#text[found - 1] === '\r' ? found - 1 : found;
  }

  /** The line below what ends at an offset; a block scalar ends there. */
  #belowLine(end: number): number {
    return this.#text[end - 1] === '\n' ? end : this.#nextLine(end);
  }

  #nextLine(offset: number): number {
    const found = this.#text.indexOf('\n', offset);
    return found < 0 ? this.#text.length : found + 1;
  }

  #forget(node: Node): void {
    visit(node, {
      Node: (_, inner) => {
        this.#changed.add(inner);
      },
    });
    this.#changed.add(node);
  }

  #forgetAll(item: unknown): void {
    const parts = isPair(item) ? [item.key, item.value] : [item];
    for (const part of parts) if (isNode(part)) this.#forget(part);
  }

  #replace({ start, end }: Extent, text: string): void {
    if (start !== end || text !== '') this.#changes.push({ start, end, text });
  }
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

function hasAnchor(node: Node): boolean {
  return 'anchor' in node && Boolean(node.anchor);
}

function isKeyed(value: unknown): value is Keyed {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfMaps(value: unknown): value is readonly Keyed[] {
  return Array.isArray(value) && value.length > 0 && value.every(isKeyed);
}
