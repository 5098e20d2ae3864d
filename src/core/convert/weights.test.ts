import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { arrangeWeights, kernelSums, type Geometry } from '../analyze/saturation';
import { buildModel, f32, node } from '../normalize/fixtures/models';
import { elementCount, makeTensor, type Tensor } from '../tensor';
import { quantize, storedInput, type Settings } from './fixtures/quantized';
import { quantizeBias } from './weights';

const HIGHEST = 32767;

/** Weights that are nasty for pairs: many of one size and sign, some zeros, some of the other sign. */
const nasty = (count: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof(fc.constant(1), fc.constantFrom(0, -1, 0.999, 0.5), fc.float({ min: -1, max: 1, noNaN: true })), {
    minLength: count,
    maxLength: count,
  });

interface Layer {
  readonly op: 'Conv' | 'MatMul' | 'Gemm';
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: Record<string, number>;
  /** The kernel's view of the layer, and the stored weight in the order that it wants. */
  readonly geometry: Geometry;
  readonly blocks: (stored: Tensor) => readonly Int8Array[];
}

const whole = (stored: Tensor): Int8Array[] => [stored.data as Int8Array];
const product = (inner: number, columns: number): Geometry => ({ kind: 'product', rows: 1, inner, columns });
const conv = (channels: number, groups: number, outChannels: number, kernel: number[]): Geometry => ({
  kind: 'conv',
  channels,
  groups,
  outChannels,
  spatial: kernel,
  outSpatial: kernel.map(() => 1),
  kernel,
  strides: kernel.map(() => 1),
  dilations: kernel.map(() => 1),
  pads: kernel.map(() => 0),
});

function turned(stored: Tensor): Int8Array[] {
  const [rows = 0, columns = 0] = stored.dims;
  const values = stored.data as Int8Array;
  return [values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!)];
}

const LAYERS: Record<string, Layer> = {
  conv: { op: 'Conv', input: [1, 3, 3, 3], weight: [2, 3, 3, 3], geometry: conv(3, 1, 2, [3, 3]), blocks: whole },
  'conv of one input channel': {
    op: 'Conv',
    input: [1, 1, 3, 3],
    weight: [2, 1, 3, 3],
    geometry: conv(1, 1, 2, [3, 3]),
    blocks: whole,
  },
  'grouped conv': {
    op: 'Conv',
    input: [1, 6, 2, 2],
    weight: [4, 3, 2, 2],
    attributes: { group: 2 },
    geometry: conv(6, 2, 4, [2, 2]),
    blocks: whole,
  },
  'two outputs of each input channel': {
    op: 'Conv',
    input: [1, 2, 3, 3],
    weight: [4, 1, 3, 3],
    attributes: { group: 2 },
    geometry: conv(2, 2, 4, [3, 3]),
    blocks: whole,
  },
  'conv 1-D': { op: 'Conv', input: [1, 5, 3], weight: [2, 5, 3], geometry: conv(5, 1, 2, [3]), blocks: whole },
  product: { op: 'MatMul', input: [1, 7], weight: [7, 3], geometry: product(7, 3), blocks: whole },
  'several products': {
    op: 'MatMul',
    input: [2, 1, 5],
    weight: [2, 5, 3],
    geometry: product(5, 3),
    blocks: (stored) => [0, 15].map((start) => (stored.data as Int8Array).subarray(start, start + 15)),
  },
  gemm: { op: 'Gemm', input: [1, 6], weight: [6, 3], geometry: product(6, 3), blocks: whole },
  'gemm with transB': {
    op: 'Gemm',
    input: [1, 6],
    weight: [3, 6],
    attributes: { transB: 1 },
    geometry: product(6, 3),
    blocks: turned,
  },
};

async function storedWeight(
  layer: Layer,
  values: readonly number[],
  settings: Settings,
  saturates: boolean,
): Promise<Tensor> {
  const { op, input, weight, attributes = {} } = layer;
  const model = buildModel({
    opset: 13,
    inputs: { x: input },
    constants: { w: f32(weight, values) },
    nodes: [node(op, ['x', 'w'], ['y'], attributes)],
    outputs: ['y'],
  });
  const feeds = { x: makeTensor('float32', input, new Float32Array(elementCount(input)).fill(1)) };
  const { conversion } = await quantize(model, [feeds], settings, saturates);
  return storedInput(conversion.model, `${op}_of_y`, 1);
}

/** Pairs of the kernel that could leave 16 bits: the worst activations are 255 where the weight has one sign, 0 elsewhere. */
function overflowing(layer: Layer, stored: Tensor): number {
  let count = 0;
  for (const block of layer.blocks(stored)) {
    const { data, inner } = arrangeWeights(layer.geometry, block);
    for (let start = 0; start < data.length; start += inner) {
      for (let k = 0; k + 1 < inner; k += 2) {
        const pair = [data[start + k]!, data[start + k + 1]!];
        const up = pair.reduce((sum, w) => sum + 255 * Math.max(0, w), 0);
        const down = pair.reduce((sum, w) => sum + 255 * Math.min(0, w), 0);
        if (up > HIGHEST || down < -HIGHEST - 1) count++;
      }
    }
  }
  return count;
}

describe('guarded weights', () => {
  const settings: readonly (readonly [string, Settings])[] = [
    ['per channel', {}],
    ['per tensor', { weights: { granularity: 'per-tensor' } }],
    ['asymmetric', { weights: { symmetric: false } }],
  ];
  for (const [name, layer] of Object.entries(LAYERS)) {
    for (const [how, recipe] of settings) {
      test(`never saturate: ${name}, ${how}`, async () => {
        await fc.assert(
          fc.asyncProperty(nasty(elementCount(layer.weight)), async (values) => {
            assert.equal(overflowing(layer, await storedWeight(layer, values, recipe, true)), 0);
          }),
          { numRuns: 15 },
        );
      });
    }

    test(`would saturate without: ${name}`, async () => {
      const values = Array<number>(elementCount(layer.weight)).fill(1);
      const bare = await storedWeight(layer, values, {}, false);
      assert.ok(overflowing(layer, bare) > 0);
      const guarded = await storedWeight(layer, values, {}, true);
      assert.equal(overflowing(layer, guarded), 0);
      // The emulated kernel agrees, with the largest activations.
      const rows = new Uint8Array(elementCount(layer.input)).fill(255);
      const clipped = (stored: Tensor): number =>
        kernelSums(layer.geometry, arrangeWeights(layer.geometry, layer.blocks(stored)[0]!), rows, 0, 0).clipped;
      assert.ok(clipped(bare) > 0);
      assert.equal(clipped(guarded), 0);
    });
  }

  test('cost nothing where pairs cancel or are small', async () => {
    const layer = LAYERS['product']!;
    const values = Array.from({ length: 21 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 1 : -1));
    const same = await storedWeight(layer, values, {}, true);
    assert.deepEqual(same.data, (await storedWeight(layer, values, {}, false)).data);
  });

  test('keep dynamic layers safe too', async () => {
    const layer = LAYERS['gemm with transB']!;
    const values = Array<number>(18).fill(1);
    const stored = await storedWeight(layer, values, { mode: 'dynamic' }, true);
    assert.deepEqual(stored.dims, [6, 3]);
    assert.equal(overflowing({ ...layer, blocks: whole }, stored), 0);
    assert.ok(
      overflowing({ ...layer, blocks: whole }, await storedWeight(layer, values, { mode: 'dynamic' }, false)) > 0,
    );
  });
});

describe('biases', () => {
  test('are int32 in steps of both scales, halves to even', () => {
    const { data, scales } = quantizeBias(Float32Array.of(1.25, -0.75, 10), 0.5, Float32Array.of(1, 1, 2), 1);
    assert.deepEqual(
      [[...data], [...scales]],
      [
        [2, -2, 10],
        [0.5, 0.5, 1],
      ],
    );
  });

  test('of a Gemm are in steps of alpha as well', () => {
    assert.deepEqual([...quantizeBias(Float32Array.of(3), 0.5, Float32Array.of(1), 0.5).data], [12]);
  });

  test('are cut at the ends of int32', () => {
    const { data } = quantizeBias(Float32Array.of(1e12, -1e12), 1, Float32Array.of(1, 1), 1);
    assert.deepEqual([...data], [2 ** 31 - 1, -(2 ** 31)]);
  });
});
