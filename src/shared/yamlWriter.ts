/** Values as YAML in the style of a text that is there already. */

import { isMap, isScalar, parseDocument, visit, type Document } from 'yaml';

export class YamlWriter {
  readonly eol: string;
  /** Between the braces of a flow map and what is in them. */
  readonly padding: string;
  /** Blank lines part its top-level blocks. */
  readonly spaced: boolean;
  /** The text is JSON, or looks like it. */
  readonly #json: boolean;

  constructor(text: string, document: Document.Parsed) {
    this.eol = /\r?\n/.exec(text)?.[0] ?? '\n';
    this.padding = flowPadding(text, document);
    const top = document.contents;
    const first = isMap(top) && top.flow === true ? top.items[0]?.key : undefined;
    this.#json = isScalar(first) && first.type === 'QUOTE_DOUBLE';
    this.spaced = /\n[ \t]*\r?\n\S/.test(text);
  }

  /** On one line. @param style of the scalar whose place it takes */
  value(value: unknown, inFlow: boolean, style?: string): string {
    return typeof value === 'string' ? this.#string(value, inFlow, style) : this.flow(value);
  }

  flow(value: unknown): string {
    if (typeof value === 'string') return this.#string(value, true);
    if (Array.isArray(value)) return `[${value.map((item) => this.flow(item)).join(', ')}]`;
    if (typeof value !== 'object' || value === null) return scalar(value);
    const pairs = Object.entries(value).map(([key, inner]) => this.flowPair(key, inner));
    return pairs.length === 0 ? '{}' : `{${this.padding}${pairs.join(', ')}${this.padding}}`;
  }

  flowPair(key: string, value: unknown): string {
    return `${this.#string(key, true)}: ${this.flow(value)}`;
  }

  /** Lines of a block map, without the last line break; a list of maps gets lines of its own. */
  pair(key: string, value: unknown, indent: number): string {
    const margin = ' '.repeat(indent);
    const name = this.#string(key, false);
    if (!Array.isArray(value) || value.length === 0 || typeof value[0] !== 'object')
      return `${margin}${name}: ${this.value(value, false)}`;
    const items = value.map((item) => this.item(item, indent + 2));
    return [`${margin}${name}:`, ...items].join(this.eol);
  }

  /** Lines of a block sequence, without the last line break. */
  item(value: unknown, indent: number): string {
    const margin = ' '.repeat(indent);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `${margin}- ${this.value(value, false)}`;
    const lines = Object.entries(value).map(([key, inner]) => this.pair(key, inner, indent + 2));
    return `${margin}- ${lines.join(this.eol).slice(indent + 2)}`;
  }

  #string(text: string, inFlow: boolean, style?: string): string {
    if (this.#json || style === 'QUOTE_DOUBLE') return JSON.stringify(text);
    if (style === 'QUOTE_SINGLE' && PRINTABLE.test(text)) return `'${text.replaceAll("'", "''")}'`;
    return isPlain(text, inFlow) ? text : JSON.stringify(text);
  }
}

/** No control, format or private characters and no line breaks. */
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;

/** Whether a text means itself without quotes, in YAML 1.1 (where `no` is false) as well. */
function isPlain(text: string, inFlow: boolean): boolean {
  if (!PRINTABLE.test(text)) return false;
  const probe = inFlow ? `{ k: ${text}, l: 0 }` : `k: ${text}\nl: 0\n`;
  return (['1.1', '1.2'] as const).every((version) => {
    const { contents, errors } = parseDocument(probe, { version, logLevel: 'silent' });
    if (errors.length > 0 || !isMap(contents)) return false;
    const values = contents.items.map((pair) => (isScalar(pair.value) ? pair.value.value : undefined));
    return values.length === 2 && values[0] === text && values[1] === 0;
  });
}

function scalar(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return typeof value === 'number' && !Number.isFinite(value) ? special(value) : JSON.stringify(value);
}

function special(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  return value > 0 ? '.inf' : '-.inf';
}

/** As in the first flow map that there is; prettier's where there is none. */
function flowPadding(text: string, document: Document.Parsed): string {
  let padding = ' ';
  visit(document, {
    Map(_, { flow, items, range }) {
      if (flow !== true || items.length === 0 || !range) return undefined;
      padding = text[range[0] + 1] === ' ' ? ' ' : '';
      return visit.BREAK;
    },
  });
  return padding;
}
