import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { yamlSoup } from '../../test/helpers/yamlSoup';
import { resolveOverrides } from '../shared/selectors';
import type { LayerOverride } from '../shared/recipe';
import { analyze, DEFAULT_SETTINGS, overridesOf } from './analysis';
import type { LayerNode } from './facts';
import { readRecipeText } from './recipeText';

const NODES: readonly LayerNode[] = ['a/conv', 'a/relu', 'a/b/conv', 'head/fc', 'softmax'].map((name) => {
  return {
    name,
    op: { conv: 'Conv', relu: 'Relu', fc: 'Gemm' }[name.split('/').at(-1) ?? ''] ?? 'Softmax',
    folds: false,
  };
});

describe('what entries say together', () => {
  test('is what a run makes of them', () => {
    const select = fc.constantFrom(
      'a/conv',
      'head/fc',
      'op:Conv',
      'op:Gemm',
      'scope:a',
      'scope:a/b',
      '**/conv',
      '*/fc',
      '**',
    );
    const entry = fc.record(
      {
        select,
        quantize: fc.boolean(),
        observer: fc.constantFrom('mse' as const, 'entropy' as const),
        activations: fc.constantFrom('uint8' as const, 'uint16' as const),
        weights: fc.constant({ granularity: 'per-tensor' as const }),
      },
      { requiredKeys: ['select'] },
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        const layers = entries as LayerOverride[];
        const expected = [...resolveOverrides(layers, NODES)].filter(
          ([, settings]) => Object.keys(settings).length > 0,
        );
        const actual = overridesOf(layers, NODES);
        assert.deepEqual(new Map(actual), new Map(expected));
      }),
      { numRuns: 1000, examples: [[[{ select: 'a/conv' }]]] },
    );
  });

  test('knows for each entry what of it counts, and what beats it', () => {
    const text = `model: m
layers:
  - { select: op:Conv, quantize: false, observer: mse }
  - { select: "**", quantize: true }
  - { select: a/conv, observer: entropy }
`;
    const facts = { paths: new Map(), model: { file: 'm', state: 'ok', nodes: NODES } } as const;
    const { entries } = analyze(readRecipeText(text), facts, DEFAULT_SETTINGS);
    assert.deepEqual(
      entries.map(({ matches, effective, beatenBy }) => [matches?.length, [...effective], [...beatenBy]]),
      [
        [2, ['observer'], [1, 2]],
        [5, ['quantize'], []],
        [1, ['observer'], []],
      ],
    );
    assert.deepEqual(
      entries.map(({ at }) => text.slice(at.start, at.end)),
      ['op:Conv', '"**"', 'a/conv'],
    );
  });
});

describe('a recipe that is half right', () => {
  test('keeps its valid parts', () => {
    const { recipe, entries } = readRecipeText(
      'model: m\nbackend: nonsense\nlayers:\n - select: a\n   quantize: 3\n - select: b\n',
    );
    assert.deepEqual(recipe, { model: 'm', layers: [{ select: 'b' }] });
    assert.deepEqual(
      entries.map(({ select, override }) => [select, override]),
      [
        ['a', undefined],
        ['b', { select: 'b' }],
      ],
    );
  });

  test('of any text is something', () => {
    fc.assert(
      fc.property(yamlSoup(), (text) => {
        for (const { at, whole } of readRecipeText(text).entries) {
          assert.ok(whole.start <= at.start && at.end <= text.length);
        }
      }),
    );
  });
});
