/** What of a Python file can be called to get a model: told from its text, since running it is for later. Pure. */

export interface Factory {
  readonly name: string;
  readonly kind: 'function' | 'class';
  /** From 1. */
  readonly line: number;
  /** The first line of its docstring; '' without one. */
  readonly summary: string;
}

/** A class is a network where one of its bases is called so, as `nn.Module` and `pl.LightningModule` are. */
const NETWORK = /(?:^|\.)\w*(?:Module|Sequential)$/;
const LIKELY_NAME = /build|make|create|model|net\b|network|load/i;
/** What a training script has besides. */
const UNLIKELY_NAME = /^(?:_|main$|test|train|evaluate?|eval|parse|setup|run|plot|seed|export|calibrat)/i;

/**
 * Functions and network classes at the top of a file that need no argument, the likeliest first. Of functions only
 * those that return something: one that makes a network of this file is likelier than one that is only called so.
 */
export function factoriesOf(text: string): readonly Factory[] {
  const code = withoutStrings(text);
  const blocks = topBlocks(code);
  const networks = new Set<string>();
  for (const { kind, name, head } of blocks) {
    if (kind === 'class' && splitList(head).some((base) => NETWORK.test(base) || networks.has(base)))
      networks.add(name);
  }
  const makes = new RegExp(`\\breturn\\b[^\\n]*\\b(?:${['nn\\.Sequential', ...networks].join('|')})\\s*\\(`);
  const rank = ({ kind, name, body }: Block): number => {
    if (kind === 'class') return 2;
    if (makes.test(body)) return LIKELY_NAME.test(name) ? 0 : 1;
    return LIKELY_NAME.test(name) ? 3 : 4;
  };
  const isCandidate = (block: Block): boolean => {
    if (UNLIKELY_NAME.test(block.name)) return false;
    if (block.kind === 'class') return networks.has(block.name) && constructorIsFree(block.body);
    return needsNothing(block.head) && /^[ \t]+return[ \t]+[^\s#]/m.test(block.body);
  };
  return blocks
    .filter(isCandidate)
    .map((block) => ({ block, rank: rank(block) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ block: { kind, name, start, bodyStart } }) => {
      return { name, kind, line: lineOf(text, start), summary: summaryAt(text, bodyStart) };
    });
}

interface Block {
  readonly kind: 'function' | 'class';
  readonly name: string;
  /** Between its parentheses. */
  readonly head: string;
  readonly body: string;
  /** Of its first character, and of the first behind the colon. */
  readonly start: number;
  readonly bodyStart: number;
}

function topBlocks(code: string): Block[] {
  const blocks: Block[] = [];
  for (const match of code.matchAll(/^(def|class)[ \t]+([A-Za-z_]\w*)[ \t]*(\(?)/gm)) {
    const [whole, keyword, name = '', open] = match;
    const after = match.index + whole.length;
    const close = open === '(' ? closing(code, after) : after;
    const colon = code.indexOf(':', close);
    if (colon < 0) continue;
    const bodyStart = colon + 1;
    const next = /^\S/m.exec(code.slice(code.indexOf('\n', bodyStart) + 1 || code.length));
    const end = next === null ? code.length : code.indexOf('\n', bodyStart) + 1 + next.index;
    blocks.push({
      kind: keyword === 'class' ? 'class' : 'function',
      name,
      head: open === '(' ? code.slice(after, close) : '',
      body: code.slice(bodyStart, end),
      start: match.index,
      bodyStart,
    });
  }
  return blocks;
}

/** Where the parenthesis closes that was opened before an offset. */
function closing(code: string, from: number): number {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if ('([{'.includes(code[at]!)) depth++;
    else if (')]}'.includes(code[at]!) && --depth === 0) return at;
  }
  return code.length;
}

/** The parts between commas that are in no parentheses. */
function splitList(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if ('([{'.includes(text[at]!)) depth++;
    else if (')]}'.includes(text[at]!)) depth--;
    else if (text[at] === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim()).filter((part) => part !== '');
}

/** Whether a function can be called without arguments: `*`, `/`, `*args` and `**kwargs` are none. */
function needsNothing(parameters: string, skip = 0): boolean {
  return splitList(parameters)
    .slice(skip)
    .every((part) => part.startsWith('*') || part === '/' || /^\w+\s*(?::[^=]*)?=/.test(part));
}

function constructorIsFree(body: string): boolean {
  const found = /^[ \t]+def[ \t]+__init__[ \t]*\(/m.exec(body);
  if (found === null) return true;
  const start = found.index + found[0].length;
  return needsNothing(body.slice(start, closing(body, start)), 1);
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function summaryAt(text: string, bodyStart: number): string {
  const found = /^\s*(?:#[^\n]*\s*)?[rR]?("""|'''|"|')([\s\S]*?)\1/.exec(text.slice(bodyStart));
  return (found?.[2] ?? '').trim().split('\n')[0] ?? '';
}

/** The same text with spaces for what strings and comments hold, so that every offset and line stays. */
function withoutStrings(text: string): string {
  const blank = (found: string): string => found.replaceAll(/[^\n]/g, ' ');
  return text.replaceAll(
    /"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|#[^\n]*/g,
    blank,
  );
}
