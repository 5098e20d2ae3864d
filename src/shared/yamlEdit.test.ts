/** Any edit of any recipe, written in any style. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { RecipeChange } from './fixes';
import { ACTIVATION_TYPES, BACKEND_IDS, OBSERVERS, type LayerOverride } from './recipe';
import { applyChanges, changeRecipe, recipeEdits } from './recipeEdit';

function edited(text: string, change: RecipeChange): string {
  const edits = recipeEdits(text, change);
  // An editor takes no edits that overlap.
  for (const [index, { start }] of edits.entries()) assert.ok(start >= (edits[index - 1]?.end ?? 0), text);
  return applyChanges(text, edits);
}

function read(text: string): Readonly<Record<string, unknown>> {
  return (parse(text, { merge: true }) ?? {}) as Readonly<Record<string, unknown>>;
}

const excludeA: RecipeChange = { kind: 'override', override: { select: 'a', quantize: false, because: '15.4 dB' } };
const removeA: RecipeChange = { kind: 'remove-override', select: 'a' };

const nameArb = fc.constantFrom('a', '/s/b', 'op:Conv', 'scope:s', 'x*', 'c: d', "it's # not", '12');
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const weightsArb = fc.oneof(
  fc.constantFrom('int8' as const, 'uint8' as const),
  fc.record({ granularity: fc.constantFrom('per-channel' as const, 'per-tensor' as const), symmetric: fc.boolean() }),
);
const activationsArb = fc.oneof(fc.constantFrom(...ACTIVATION_TYPES), fc.record({ symmetric: fc.boolean() }));
const overrideArb = fc.record({
  select: nameArb,
  quantize: maybe(fc.boolean()),
  activations: maybe(activationsArb),
  weights: maybe(weightsArb),
  observer: maybe(fc.constantFrom(...OBSERVERS)),
  because: maybe(fc.oneof(fc.string(), fc.constantFrom('15.4 dB', 'two\nlines', 'a: b # c'))),
});
/** Without the keys that are left out. */
function defined<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

const changeArb: fc.Arbitrary<RecipeChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: overrideArb.map((override): RecipeChange => ({
      kind: 'override',
      override: defined<object>(override) as LayerOverride,
    })),
  },
  { weight: 2, arbitrary: nameArb.map((select) => ({ kind: 'remove-override', select }) as const) },
  fc.constantFrom(...BACKEND_IDS).map((backend) => ({ kind: 'backend', backend }) as const),
  fc.record({ kind: fc.constant('observer' as const), observer: fc.constantFrom(...OBSERVERS) }),
  fc
    .constantFrom('per-channel' as const, 'per-tensor' as const)
    .map((granularity) => ({ kind: 'weights' as const, granularity })),
  fc.constantFrom(...ACTIVATION_TYPES).map((type) => ({ kind: 'activations', type }) as const),
  fc.constantFrom('auto' as const, 17).map((opset) => ({ kind: 'opset', opset }) as const),
);
const recipeArb = fc.record({
  model: fc.constantFrom('m.onnx', 'a b.onnx'),
  backend: maybe(fc.constantFrom(...BACKEND_IDS, null)),
  activations: maybe(activationsArb),
  weights: maybe(weightsArb),
  calibration: fc.record({ data: fc.constant('images'), observer: maybe(fc.constantFrom(...OBSERVERS)) }),
  normalize: maybe(fc.record({ opset: fc.constantFrom('keep', 'auto', 13) })),
  layers: maybe(fc.oneof(fc.array(overrideArb, { maxLength: 4 }), fc.constant(null))),
  validate: maybe(fc.record({ data: fc.constant('v') })),
});

interface Style {
  readonly eol: string;
  readonly indentSequence: boolean;
  readonly lastBreak: boolean;
  readonly quotes: readonly string[];
  readonly flow: readonly boolean[];
  readonly blanks: readonly boolean[];
}

/** Written by hand, not by the library, in one of many styles, with a comment of its own on every line that can have one. */
class Scribe {
  readonly #style: Style;
  readonly comments: string[] = [];
  #turn = 0;

  constructor(style: Style) {
    this.#style = style;
  }

  write(recipe: object): string {
    const lines = this.#map(recipe, '', true);
    return lines.join(this.#style.eol) + (this.#style.lastBreak ? this.#style.eol : '');
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#turn++ % list.length]!;
  }

  #comment(): string {
    const text = `# c${this.comments.length}.`;
    this.comments.push(text);
    return text;
  }

  #map(object: object, margin: string, isTop = false): string[] {
    return Object.entries(object).flatMap(([key, value]) => {
      if (value === undefined) return [];
      const above = isTop && this.#pick(this.#style.blanks) ? ['', margin + this.#comment()] : [];
      return [...above, ...this.#pair(key, value, margin)];
    });
  }

  #pair(key: string, value: unknown, margin: string): string[] {
    if (value === null) return [`${margin}${key}: ${this.#comment()}`];
    const isBlock = typeof value === 'object' && Object.keys(value).length > 0 && !this.#pick(this.#style.flow);
    if (!isBlock) return [`${margin}${key}: ${this.#flow(value)} ${this.#comment()}`];
    const head = `${margin}${key}: ${this.#comment()}`;
    if (!Array.isArray(value)) return [head, ...this.#map(value, `${margin}  `)];
    const inner = this.#style.indentSequence ? `${margin}  ` : margin;
    return [head, ...value.flatMap((item) => this.#item(item as object, inner))];
  }

  #item(item: object, margin: string): string[] {
    const above = this.#pick(this.#style.blanks) ? [margin + this.#comment()] : [];
    if (this.#pick(this.#style.flow)) return [...above, `${margin}- ${this.#flow(item)} ${this.#comment()}`];
    const [first = '', ...rest] = this.#map(item, `${margin}  `);
    return [...above, `${margin}- ${first.trimStart()}`, ...rest];
  }

  #flow(value: unknown): string {
    if (typeof value === 'string') {
      const isWord = /^[a-z/][\w/.-]*$/.test(value);
      const quote = this.#pick(this.#style.quotes);
      if (quote === '' && isWord) return value;
      return quote === "'" && /^[ -~]+$/.test(value) ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
    }
    if (Array.isArray(value)) return `[${value.map((item) => this.#flow(item)).join(', ')}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const pairs = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return `{${pairs.map(([key, inner]) => `${key}: ${this.#flow(inner)}`).join(', ')}}`;
  }
}

const styleArb: fc.Arbitrary<Style> = fc.record({
  eol: fc.constantFrom('\n', '\r\n'),
  indentSequence: fc.boolean(),
  lastBreak: fc.boolean(),
  quotes: fc.array(fc.constantFrom('', "'", '"'), { minLength: 1, maxLength: 5 }),
  flow: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
  blanks: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
});

/** Lines of `before` that are not in `after`, in order. */
function lostLines(before: string, after: string): string[] {
  const rest = after.split(/\r?\n/);
  return before.split(/\r?\n/).filter((line) => {
    const index = rest.indexOf(line);
    if (index < 0) return true;
    rest.splice(index, 1);
    return false;
  });
}

describe('any edit of any recipe', () => {
  const arb = fc.tuple(recipeArb, styleArb, changeArb);

  test('means what the change means, and is made once', () => {
    const property = fc.property(arb, ([recipe, style, change]) => {
      const text = new Scribe(style).write(recipe);
      const result = edited(text, change);
      assert.deepEqual(read(result), JSON.parse(JSON.stringify(changeRecipe(read(text), change))));
      assert.deepEqual(recipeEdits(result, change), []);
      assert.equal(/\r?\n/.exec(result)?.[0] ?? style.eol, style.eol);
      assert.ok(!/[^\r]\n/.test(style.eol === '\n' ? '' : result));
      assert.equal(result.endsWith('\n'), style.lastBreak);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('keeps every comment, and every line that says the same', () => {
    const property = fc.property(arb, ([recipe, style, change]) => {
      if (change.kind === 'remove-override') return;
      const scribe = new Scribe(style);
      const text = scribe.write(recipe);
      const result = edited(text, change);
      for (const comment of scribe.comments) assert.ok(result.includes(comment), comment);
      const lost = lostLines(text, result);
      // One line a key that the change sets, and the one on which an empty or flow list stands.
      const most =
        change.kind === 'override' ? Object.values(change.override).filter((v) => v !== undefined).length : 2;
      assert.ok(lost.length <= most, lost.join('\n'));
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('takes away the removed entries alone', () => {
    const property = fc.property(arb, nameArb, ([recipe, style], select) => {
      const text = new Scribe(style).write({ ...recipe, layers: [{ select: 'first' }, ...(recipe.layers ?? [])] });
      const result = edited(text, { kind: 'remove-override', select });
      const outside = text.split(/\r?\n/).filter((line) => !/^layers:|^ *- | {4}|^ {2}\w+:/.test(line));
      for (const line of outside) assert.ok(result.includes(line), line);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('is undone by removing the entry', () => {
    const property = fc.property(recipeArb, styleArb, (recipe, style) => {
      const text = new Scribe(style).write({ ...recipe, layers: undefined });
      assert.equal(edited(edited(text, excludeA), removeA), text);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
