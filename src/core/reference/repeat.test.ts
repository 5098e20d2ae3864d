/** Every operator that draws, asked of the runtime. */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Sample } from '../data/types';
import { buildGraph, buildModel, f32, graphAttribute, node, type ModelSpec } from '../normalize/fixtures/models';
import { graphOf, type OnnxModel } from '../onnx/model';
import { makeTensor } from '../tensor';
import { assertRepeats, randomness, randomWarnings } from './repeat';
import { randomNodes, seeded, unseeded } from './seed';

const X = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
const SAMPLES: readonly Sample[] = [1, 2].map((k) => ({
  id: String(k),
  feeds: {
    x: f32(
      [2, 3],
      X.map((x) => x * k),
    ),
  },
}));
const samples = { samples: () => Readable.from(SAMPLES) };
const add = node('Add', ['x', 'n'], ['y']);
const bool = (value: number): ReturnType<typeof makeTensor> => makeTensor('bool', [], Uint8Array.of(value));
const body = buildGraph({
  nodes: [node('RandomNormalLike', ['c'], ['n']), node('Add', ['c', 'n'], ['d']), node('Identity', ['go'], ['on'])],
  inputs: { i: ['int64', []], go: ['bool', []], c: [2, 3] },
  outputs: ['on', 'd'],
});
const loop = node('Loop', ['times', 'true', 'x'], ['y']);
loop.attribute.push(graphAttribute('body', body));

const SPECS: Readonly<Record<string, Pick<ModelSpec, 'nodes' | 'constants'>>> = {
  RandomNormal: { nodes: [node('RandomNormal', [], ['n'], { shape: [2, 3] }), add] },
  RandomNormalLike: { nodes: [node('RandomNormalLike', ['x'], ['n']), add] },
  RandomUniform: { nodes: [node('RandomUniform', [], ['n'], { shape: [2, 3] }), add] },
  RandomUniformLike: { nodes: [node('RandomUniformLike', ['x'], ['n']), add] },
  Bernoulli: { nodes: [node('Bernoulli', ['x'], ['y'])] },
  Multinomial: { nodes: [node('Multinomial', ['x'], ['y'], { sample_size: 50 })] },
  Dropout: {
    nodes: [node('Dropout', ['x', 'ratio', 'true'], ['y'])],
    constants: { ratio: f32([], [0.5]), true: bool(1) },
  },
  'two of one kind': {
    nodes: [
      node('RandomNormalLike', ['x'], ['m']),
      node('RandomNormalLike', ['x'], ['n']),
      node('Sub', ['m', 'n'], ['y']),
    ],
  },
  'a subgraph': { nodes: [loop], constants: { times: makeTensor('int64', [], BigInt64Array.of(2n)), true: bool(1) } },
};

const model = (spec: Pick<ModelSpec, 'nodes' | 'constants'>): OnnxModel =>
  buildModel({ opset: 17, inputs: { x: [2, 3] }, outputs: ['y'], ...spec });

describe('a model that draws random numbers', () => {
  for (const [name, spec] of Object.entries(SPECS)) {
    test(`${name}: is told, and seeded alike in every session`, async () => {
      const found = await randomness(seeded(model(spec)), samples);
      assert.equal(found?.repeats, true);
      assert.equal(found.nodes.length, name === 'two of one kind' ? 2 : 1);
      assert.match(randomWarnings(found).join(), /is random \(".*same random numbers/);
      await assertRepeats(seeded(model(spec)), samples, {});
    });
  }

  test('without a seed Dropout draws by the clock: it is told, and nothing is searched for', async () => {
    const found = await randomness(model(SPECS['Dropout']!), samples);
    assert.equal(found?.repeats, false);
    assert.match(randomWarnings(found).join(), /refused/);
    await assert.rejects(assertRepeats(model(SPECS['Dropout']!), samples, {}), { code: 'reference-random' });
  });

  test('what answers alike is not random', async () => {
    assert.equal(await randomness(model({ nodes: [node('Relu', ['x'], ['y'])] }), samples), null);
    const nodes = [node('Dropout', ['x', 'ratio', 'false'], ['y'])];
    const constants = { ratio: f32([], [0.5]), false: bool(0) };
    assert.equal(await randomness(seeded(model({ nodes, constants })), samples), null);
    assert.deepEqual(randomWarnings(null), []);
  });

  test('seeds of ours go again, those of the user stay', () => {
    const nodes = [node('RandomNormalLike', ['x'], ['m'], { seed: { f: 7 } }), node('RandomNormalLike', ['m'], ['y'])];
    const seedsOf = (of: OnnxModel): number[][] =>
      randomNodes(graphOf(of)).map(({ attribute }) => attribute.map(({ f }) => f));
    assert.deepEqual(seedsOf(seeded(model({ nodes }))), [[7], [2]]);
    assert.deepEqual(seedsOf(unseeded(seeded(model({ nodes })))), [[7], []]);
  });
});
