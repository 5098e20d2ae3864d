import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { yamlSoup } from '../../test/helpers/yamlSoup';
import { ERROR_CODES, QuantscopeError } from '../shared/errors';
import type { Recipe } from '../shared/recipe';
import { parseRecipe, recipeText } from '../shared/recipeDocument';
import { readRecipe, recipePath } from './recipeFile';

/** The lines of the message that a recipe is refused with. */
function problems(text: string): string[] {
  try {
    parseRecipe(text, 'r');
  } catch (error) {
    assert.ok(error instanceof QuantscopeError, String(error));
    assert.equal(error.code, 'recipe-invalid');
    return error.message.split('\n');
  }
  assert.fail('the recipe was taken');
}

describe('reading', () => {
  test('a full recipe, with comments, anchors and merge keys', () => {
    const { recipe } = parseRecipe(
      `model: net.onnx   # mine
calibration: &data { data: [a, 'b/*.png'], samples: 10 }
validate:
  data: x
layers:
  - &keep { select: op:Softmax, quantize: false }
  - <<: *keep
    select: scope:head
`,
      'r',
    );
    assert.deepEqual(recipe.calibration, { data: ['a', 'b/*.png'], samples: 10 });
    assert.deepEqual(recipe.layers?.[1], { select: 'scope:head', quantize: false });
  });

  test('a pattern that is none', () => {
    const text = "model: x\nlayers:\n  - { select: 'regex:^a(', quantize: false }\n";
    assert.match(problems(text).join(), /r:3:\d+: `layers\[0\]\.select` .*"regex:\^a\(".*no regular expression/);
    assert.equal(parseRecipe(text.replace('^a(', '^a'), 'r').recipe.layers?.[0]?.select, 'regex:^a');
  });

  test('all problems at once, each with line, column and key, in order', () => {
    const text = `modle: x
backend: ort-cpuu
calibration:
  data: [1]
  observr: entropy
  samples: 0
preprocess:
  resize: { mode: shorter, size: 256 }
  crop: [1, 2, 3]
weights: { type: int4 }
layers:
  - select: ''
  - quantize: maybe
gates: 3
`;
    const found = problems(text);
    assert.deepEqual(
      found.map((line) => line.split(': ', 1)[0]),
      ['1:1', '1:1', '2:10', '4:10', '5:3', '6:12', '8:19', '9:9', '10:18', '12:13', '13:5', '13:15', '14:8'].map(
        (place) => `r:${place}`,
      ),
    );
    for (const [index, pattern] of [
      [0, /`model` is missing/],
      [1, /`modle` is no key.*Did you mean "model"\?/],
      [2, /`backend` must be ort-cpu, .*Did you mean "ort-cpu"\?/],
      [3, /`calibration\.data\[0\]` must be a text/],
      [4, /`calibration\.observr`.*"observer"\?/],
      [5, /`calibration\.samples` must be more than 0/],
      [6, /`preprocess\.resize\.mode`.*"shorter-side"\?/],
      [7, /`preprocess\.crop` must be at most 2 entries long/],
      [8, /`weights\.type` must be int8 or uint8, not "int4"/],
      [9, /`layers\[0\]\.select` must be at least 1 character long/],
      [10, /`layers\[1\]\.select` is missing/],
      [11, /`layers\[1\]\.quantize` must be true or false, not "maybe"/],
      [12, /`gates` must be a block of keys, not 3/],
    ] as const) {
      assert.match(found[index] ?? '', pattern);
    }
  });

  test('an unknown key far from every other lists those there are', () => {
    assert.match(problems('model: x\ngates: { zzz: 1 }')[0] ?? '', /r:2:10: .*max-accuracy-drop, min-output-sqnr/);
  });

  test('a key twice, broken syntax, an empty file, another kind of document', () => {
    assert.match(problems('model: a\nmodel: b')[0] ?? '', /^r:2:1: .*unique/);
    assert.match(problems('model: [')[0] ?? '', /^r:1:\d+: /);
    assert.match(problems('# nothing\n')[0] ?? '', /empty/);
    assert.match(problems('- a')[0] ?? '', /block of keys/);
  });

  test('aliases that go round in circles or multiply are refused', () => {
    assert.ok(problems('model: &x [*x]').length > 0);
    const lines = ['a0: &a0 [x, x]'];
    for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    assert.ok(problems(lines.join('\n')).length > 0);
  });

  test('whatever the text, a recipe or an error of ours', () => {
    fc.assert(
      fc.property(yamlSoup(25), (text) => {
        try {
          parseRecipe(text, 'r');
        } catch (error) {
          assert.ok(error instanceof QuantscopeError && error.code in ERROR_CODES, String(error));
          assert.equal(error.code, 'recipe-invalid');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a missing file', async () => {
    await assert.rejects(readRecipe('/nowhere/net.quant.yaml'), { code: 'file-not-found' });
  });
});

describe('writing', () => {
  const recipe: Recipe = {
    model: 'net.onnx',
    backend: 'ort-cpu',
    calibration: { data: 'images: "odd" #1', samples: 100 },
    preprocess: { mean: [104, 117, 123], resize: { mode: 'exact', size: [320, 240] } },
    layers: [{ select: 'op:Softmax', quantize: false }],
  };

  test('comes back as it was, with the comments above their keys', () => {
    const comments = { '': 'Head.\nTwo lines.', backend: 'Which.', 'calibration.samples': 'How many.' };
    const text = recipeText(recipe, comments, 'gates: { min-output-sqnr: 20 }');
    assert.deepEqual(parseRecipe(text, 'r').recipe, recipe);
    assert.match(text, /^# Head\.\n# Two lines\.\n/);
    assert.match(text, /\n\n# Which\.\nbackend: ort-cpu\n/);
    assert.match(text, /\n {2}# How many\.\n {2}samples: 100\n/);
    assert.match(text, /\n# gates: \{ min-output-sqnr: 20 \}\n$/);
    assert.match(text, /mean: \[104, 117, 123\]/);
  });

  test('lies beside the model', () => {
    assert.equal(recipePath('models/net.v2.onnx').replaceAll('\\', '/'), 'models/net.v2.quant.yaml');
  });
});
