import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { QuantscopeError } from './errors';
import type { RecipeChange } from './fixes';
import { applyChanges, recipeEdits } from './recipeEdit';

function edited(text: string, change: RecipeChange): string {
  return applyChanges(text, recipeEdits(text, change));
}

function read(text: string): Readonly<Record<string, unknown>> {
  return (parse(text, { merge: true }) ?? {}) as Readonly<Record<string, unknown>>;
}

const excludeA: RecipeChange = { kind: 'override', override: { select: 'a', quantize: false, because: '15.4 dB' } };
const removeA: RecipeChange = { kind: 'remove-override', select: 'a' };

/** Before, change, after. */
const CASES: readonly (readonly [name: string, before: string, change: RecipeChange, after: string])[] = [
  [
    'layers are missing',
    'model: m\n',
    excludeA,
    'model: m\nlayers:\n  - select: a\n    quantize: false\n    because: 15.4 dB\n',
  ],
  [
    'layers are missing, and so is the last line break',
    'model: m',
    excludeA,
    'model: m\nlayers:\n  - select: a\n    quantize: false\n    because: 15.4 dB',
  ],
  [
    'layers go before validate, in a block of their own where the others are',
    'model: m\n\nnormalize:\n  opset: auto\n  # keep\n\n# data\nvalidate: { data: v }\n',
    excludeA,
    'model: m\n\nnormalize:\n  opset: auto\n  # keep\n\nlayers:\n  - select: a\n    quantize: false\n    because: 15.4 dB\n\n# data\nvalidate: { data: v }\n',
  ],
  [
    'layers are empty',
    'model: m\r\nlayers: [] # none\r\ngates: {}\r\n',
    excludeA,
    'model: m\r\nlayers: # none\r\n  - select: a\r\n    quantize: false\r\n    because: 15.4 dB\r\ngates: {}\r\n',
  ],
  [
    'layers have no value',
    'layers: # later\nmodel: m\n',
    excludeA,
    'layers: # later\n  - select: a\n    quantize: false\n    because: 15.4 dB\nmodel: m\n',
  ],
  [
    'an entry is added below the comments of the last',
    "model: m\nlayers:\n- select: 'b' # b\n  # of b\n# of the rest\ngates: {}\n",
    excludeA,
    "model: m\nlayers:\n- select: 'b' # b\n  # of b\n- select: a\n  quantize: false\n  because: 15.4 dB\n# of the rest\ngates: {}\n",
  ],
  [
    'an entry of the selector gets new keys where they belong',
    'model: m\nlayers:\n  - select: a # this\n    weights: {granularity: per-tensor} # one\n    because: "slow" # old\n',
    excludeA,
    'model: m\nlayers:\n  - select: a # this\n    quantize: false\n    weights: {granularity: per-tensor} # one\n    because: "15.4 dB" # old\n',
  ],
  [
    'of two entries with the selector the later is changed',
    'model: m\nlayers:\n  - select: a\n    quantize: true\n  - { select: a, observer: mse }\n',
    excludeA,
    'model: m\nlayers:\n  - select: a\n    quantize: true\n  - { select: a, quantize: false, observer: mse, because: "15.4 dB" }\n'.replace(
      '"15.4 dB"',
      '15.4 dB',
    ),
  ],
  [
    'layers are a list on one line',
    'model: m\nlayers: [{select: b}]\n',
    excludeA,
    'model: m\nlayers: [{select: b}, {select: a, quantize: false, because: 15.4 dB}]\n',
  ],
  [
    'layers are a list in brackets on several lines',
    'model: m\nlayers: [\n  {select: b}, # why b\n  {select: c} # why c\n]\n',
    excludeA,
    'model: m\nlayers: [\n  {select: b}, # why b\n  {select: c}, # why c\n  {select: a, quantize: false, because: 15.4 dB}\n]\n',
  ],
  [
    'a recipe in JSON stays JSON',
    '{\n  "model": "m",\n  "layers": [\n    {"select": "b"}\n  ]\n}\n',
    excludeA,
    '{\n  "model": "m",\n  "layers": [\n    {"select": "b"},\n    {"select": "a", "quantize": false, "because": "15.4 dB"}\n  ]\n}\n',
  ],
  [
    'a nested block is merged with a bare type',
    'model: m\nlayers:\n  - select: a\n    weights: int8\n',
    { kind: 'override', override: { select: 'a', weights: { granularity: 'per-channel' } } },
    'model: m\nlayers:\n  - select: a\n    weights: { type: int8, granularity: per-channel }\n',
  ],
  [
    'a bare type is merged into a block',
    'model: m\nactivations:\n  symmetric: true # for the NPU\n',
    { kind: 'activations', type: 'uint16' },
    'model: m\nactivations:\n  symmetric: true # for the NPU\n  type: uint16\n',
  ],
  [
    'a bare type is replaced',
    "model: m\nactivations: 'uint8'   # bits\n",
    { kind: 'activations', type: 'int16' },
    "model: m\nactivations: 'int16'   # bits\n",
  ],
  [
    'an observer in braces',
    'model: m\ncalibration: {data: d, observer: mse} # hist\n',
    { kind: 'observer', observer: 'percentile', percentile: 99.9 },
    'model: m\ncalibration: {data: d, observer: percentile, percentile: 99.9} # hist\n',
  ],
  [
    'a backend, after the model',
    'model: m # net\ngates: {}\n',
    { kind: 'backend', backend: 'qnnpack' },
    'model: m # net\nbackend: qnnpack\ngates: {}\n',
  ],
  [
    'a value that is missing, before a comment',
    'model: m\nbackend: # which?\n',
    { kind: 'backend', backend: 'x86' },
    'model: m\nbackend: x86 # which?\n',
  ],
  [
    'an opset',
    'model: m\nnormalize:\n  opset: keep # as it is\n  constants: true\n',
    { kind: 'opset', opset: 'auto' },
    'model: m\nnormalize:\n  opset: auto # as it is\n  constants: true\n',
  ],
  [
    'an equal module beside others',
    'model: n.py:net\ntorch:\n  twins: [features.1] # one slope\n',
    { kind: 'twin', module: 'features.4' },
    'model: n.py:net\ntorch:\n  twins: [features.1, features.4] # one slope\n',
  ],
  [
    'modules that a trace does not open, beside others',
    'model: n.py:net\ntorch: { leaves: [gates.0] }\n',
    { kind: 'leaves', modules: ['gates.0', 'gates.1'] },
    'model: n.py:net\ntorch: { leaves: [gates.0, gates.1] }\n',
  ],
  [
    'a mode where none was named',
    'framework: torch\nmodel: n.py:net # ours\n',
    { kind: 'mode', mode: 'eager' },
    'framework: torch\nmodel: n.py:net # ours\nmode: eager\n',
  ],
  [
    'a block of text is replaced by one line',
    'model: m\nlayers:\n  - because: |\n      long\n      text\n    select: a\n    quantize: false\n',
    excludeA,
    'model: m\nlayers:\n  - because: 15.4 dB\n    select: a\n    quantize: false\n',
  ],
  [
    'what an alias repeats keeps the former value',
    'model: m\nweights: &w int8\nlayers:\n  - select: b\n    weights: *w # as all\n',
    { kind: 'weights', granularity: 'per-tensor' },
    'model: m\nweights: &w { type: int8, granularity: per-tensor }\nlayers:\n  - select: b\n    weights: int8 # as all\n',
  ],
  [
    'a merged key is set in the map itself',
    'model: m\ndefaults: &d {observer: mse}\nlayers:\n  - <<: *d\n    select: a\n',
    { kind: 'override', override: { select: 'a', observer: 'entropy' } },
    'model: m\ndefaults: &d {observer: mse}\nlayers:\n  - <<: *d\n    select: a\n    observer: entropy\n',
  ],
  [
    'one of two entries is removed',
    'model: m\nlayers:\n  # first\n  - select: a\n    quantize: false\n  # second\n  - select: b\n',
    removeA,
    'model: m\nlayers:\n  # first\n  # second\n  - select: b\n',
  ],
  [
    'the last entry of a list in brackets is removed',
    'model: m\nlayers: [{select: b}, {select: a}] # c\n',
    removeA,
    'model: m\nlayers: [{select: b}] # c\n',
  ],
  [
    'both of the last entries are removed from a text without a last line break',
    'model: m\nlayers:\n  - select: b\n\n  - select: a\n\n  - select: a',
    removeA,
    'model: m\nlayers:\n  - select: b',
  ],
  [
    'both of the last entries of a list in brackets are removed',
    'model: m\nlayers: [{select: b}, {select: a}, {select: a}] # c\n',
    removeA,
    'model: m\nlayers: [{select: b}] # c\n',
  ],
  [
    'entries among others are removed from a list in brackets of many lines',
    'model: m\nlayers: [\n  {select: a},\n  {select: b}, # kept\n  {select: a},\n  {select: a}\n]\n',
    removeA,
    'model: m\nlayers: [\n  {select: b} # kept\n]\n',
  ],
  [
    'with the last entry goes `layers`',
    'model: m # net\n\nlayers:\n  - select: a\n\n# the rest\ngates: {}\n',
    removeA,
    'model: m # net\n\n# the rest\ngates: {}\n',
  ],
  ['nothing to remove', 'model: m\nlayers: [{select: b}]\n', removeA, 'model: m\nlayers: [{select: b}]\n'],
];

describe('an edit of a recipe', () => {
  for (const [name, before, change, after] of CASES) {
    test(name, () => {
      assert.equal(edited(before, change), after);
      assert.deepEqual(recipeEdits(after, change), []);
    });
  }

  test('changes only the lines that it must', () => {
    const text = readFileSync('samples/shapes.quant.yaml', 'utf8');
    const lines = edited(text, excludeA).split('\n');
    const kept = lines.filter((line) => !/^(layers:| {2}- select: a| {4}(quantize|because): .*)$/.test(line));
    assert.equal(lines.length - kept.length, 4);
    assert.equal(kept.join('\n').replace('\n\n\n', '\n\n'), text);
  });

  test('names out of a model mean themselves, whatever they are', () => {
    const hostile = ['- x', '*', '&a', 'no', '12', '1:30', 'a: b', 'a #b', '{a}', "it's", '"', '', ' a', 'a\nb', '\0'];
    for (const select of [...hostile, '\u2028', '\u0085', '\ufeff', '?', '!!str', '%', '@', '`', '---', 'a]', 'a,b']) {
      for (const text of ['model: m\n', 'model: m\nlayers: [{select: b}]\n', '{"model": "m"}']) {
        const result = edited(text, { kind: 'override', override: { select, quantize: false } });
        assert.deepEqual((read(result)['layers'] as readonly unknown[]).at(-1), { select, quantize: false });
      }
    }
  });

  test('text that is no recipe is refused', () => {
    const refused = (text: string, change: RecipeChange = excludeA): void => {
      const isInvalid = (error: unknown): boolean =>
        error instanceof QuantscopeError && error.code === 'recipe-invalid';
      assert.throws(() => recipeEdits(text, change), isInvalid, text);
    };
    for (const text of ['', '# nothing', '- a', 'a: [', 'text', 'a: 1\na: 2', 'a: *b']) refused(text);
    refused('model: m', { kind: 'observer', observer: 'mse' });
  });
});
