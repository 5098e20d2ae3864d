import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '../onnx/graph';
import { cloneModel, type OnnxModel } from '../onnx/model';
import { toFloat32 } from '../tensor';
import { equalizationOf, equalize, unevenness } from './equalize';
import { assertSameOutputs, buildModel, f32, node, random, randomTensor, run } from './fixtures/models';
import { normalizeModel } from './normalize';

const next = random(11);
const weights = (dims: readonly number[], scales: readonly number[], axis: 0 | 1): ReturnType<typeof f32> => {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const count = dims.reduce((a, b) => a * b, 1);
  const at = (i: number): number => Math.floor(i / inner) % dims[axis]!;
  return f32(
    [...dims],
    Array.from({ length: count }, (_, i) => scales[at(i)]! * (next() - 0.5)),
  );
};

const UNEVEN = [1, 200, 1, 0.02];

/** Conv, depthwise Conv, pooling, Flatten and Gemm, with channels of very different weights. */
function chain(): OnnxModel {
  return buildModel({
    opset: 13,
    inputs: { x: [1, 3, 8, 8] },
    constants: {
      w1: weights([4, 3, 3, 3], UNEVEN, 0),
      b1: f32([4], [1, 50, -0.5, 0.01]),
      w2: weights([4, 1, 3, 3], [1, 1, 30, 1], 0),
      w3: weights(
        [4 * 16, 5],
        Array.from({ length: 64 }, (_, i) => 1 / UNEVEN[Math.floor(i / 16)]!),
        0,
      ),
    },
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['a'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'w2'], ['c'], { group: 4, pads: [1, 1, 1, 1] }),
      node('LeakyRelu', ['c'], ['d'], { alpha: 0.1 }),
      node('MaxPool', ['d'], ['e'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Flatten', ['e'], ['f']),
      node('Gemm', ['f', 'w3'], ['y']),
    ],
    outputs: ['y'],
  });
}

function ranges(model: OnnxModel, name: string, channelOf: (i: number) => number): number[] {
  const found = [0, 0, 0, 0];
  for (const [i, w] of toFloat32(new Graph(model).constant(name)!).entries()) {
    found[channelOf(i)] = Math.max(found[channelOf(i)]!, Math.abs(w));
  }
  return found;
}

describe('equalization', () => {
  test('leaves what the model computes alone, and gives each channel one range on both sides', async () => {
    const model = chain();
    const evened = cloneModel(model);
    const pairs = equalize(evened);
    assert.equal(pairs.length, 2);
    assert.ok(unevenness(pairs) > 1000, `${unevenness(pairs)}`);
    const feed = randomTensor('float32', [1, 3, 8, 8], next);
    assertSameOutputs(await run(evened, () => feed), await run(model, () => feed), 1e-5, 'equalized');
    const [first, middle, last] = [
      ranges(evened, 'w1', (i) => Math.floor(i / 27)),
      ranges(evened, 'w2', (i) => Math.floor(i / 9)),
      ranges(evened, 'w3', (i) => Math.floor(i / 80)),
    ];
    for (const [c, range] of middle.entries()) {
      assert.ok(Math.abs(first[c]! / range - 1) < 0.02, `channel ${c}: ${first[c]} and ${range}`);
      assert.ok(Math.abs(last[c]! / range - 1) < 0.02, `channel ${c}: ${last[c]} and ${range}`);
    }
    assert.deepEqual(
      equalizationOf(evened).map(({ scales }) => scales.every((s) => Math.abs(s - 1) < 0.02)),
      [true, true],
    );
  });

  test('is a step of the normalization that says what it did, and off unless asked for', async () => {
    const ids = async (options: object): Promise<string[]> =>
      (await normalizeModel(chain(), { requiredOpset: 13, ...options })).steps.map(({ id }) => id);
    assert.ok(!(await ids({})).includes('equalize'));
    assert.ok((await ids({ equalize: true })).includes('equalize'));
  });

  for (const [name, between, outputs] of [
    ['a sigmoid between them', [node('Sigmoid', ['a'], ['b'])], ['y']],
    ['a bound that does not scale', [node('Clip', ['a', 'low', 'high'], ['b'])], ['y']],
    ['a second reader', [node('Relu', ['a'], ['b']), node('Neg', ['a'], ['z'])], ['y', 'z']],
    ['a tensor that the caller reads', [node('Relu', ['a'], ['b'])], ['y', 'a']],
  ] as const) {
    test(`stops at ${name}`, () => {
      const model = buildModel({
        opset: 13,
        inputs: { x: [1, 3, 4, 4] },
        constants: {
          w1: weights([4, 3, 1, 1], UNEVEN, 0),
          w2: weights([2, 4, 1, 1], UNEVEN, 1),
          low: f32([], [0]),
          high: f32([], [6]),
        },
        nodes: [node('Conv', ['x', 'w1'], ['a']), ...between, node('Conv', ['b', 'w2'], ['y'])],
        outputs: [...outputs],
      });
      assert.deepEqual(equalizationOf(model), []);
    });
  }

  test('a channel without weights keeps its scale', () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [1, 3, 4, 4] },
      constants: { w1: weights([4, 3, 1, 1], [1, 0, 1, 9], 0), w2: weights([2, 4, 1, 1], [1, 1, 0, 1], 1) },
      nodes: [node('Conv', ['x', 'w1'], ['a']), node('Relu', ['a'], ['b']), node('Conv', ['b', 'w2'], ['y'])],
      outputs: ['y'],
    });
    const [pair] = equalizationOf(model);
    assert.deepEqual([pair?.scales[1], pair?.scales[2]], [1, 1]);
    assert.deepEqual(pair?.tensors, ['a', 'b']);
  });
});
