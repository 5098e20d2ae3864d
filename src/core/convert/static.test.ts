import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildModel, f32, node, random, randomTensor } from '../normalize/fixtures/models';
import type { OnnxModel } from '../onnx/model';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { elementCount, type Tensor } from '../tensor';
import { optimizeModel } from '../runtime/inspect';
import {
  measure,
  opsOf,
  outputsAt,
  planOf,
  quantize,
  storedInput,
  type Quantized,
  type Settings,
} from './fixtures/quantized';
import {
  affineOf,
  conv,
  fakeQuantize,
  fakeQuantizeBias,
  fakeQuantizeWeight,
  integerOf,
  product,
  toArray64,
  transposed,
  type Affine,
  type Array64,
  type ConvSpec,
} from './fixtures/reference';
import { toQdq } from './convert';

const next = random(11);
const tensor = (...dims: number[]): Tensor => randomTensor('float32', dims, next, 2);

/** Integers of `name` as the model computes them operator by operator. */
async function integersOf({ conversion }: Quantized, feeds: Record<string, Tensor>, name: string): Promise<number[]> {
  const { integer } = conversion.activations.get(name)!;
  const outputs = await outputsAt(conversion.model, feeds, 'disabled', [integer]);
  return Array.from(outputs[integer]!.data as Uint8Array);
}

/** float32 sums land on the other side of a rounding boundary now and then, never further. */
function assertIntegers(actual: readonly number[], expected: Array64, affine: Affine, what: string): void {
  assert.equal(actual.length, elementCount(expected.dims), what);
  let other = 0;
  for (const [i, integer] of actual.entries()) {
    const exact = expected.data[i]! / affine.scale + affine.zeroPoint;
    const wanted = integerOf(expected.data[i]!, affine);
    if (integer === wanted) continue;
    assert.ok(
      Math.abs(integer - Math.min(affine.qmax, Math.max(affine.qmin, exact))) < 0.501,
      `${what}: [${i}] is ${integer}, not ${wanted}`,
    );
    other++;
  }
  assert.ok(other <= actual.length / 50, `${what}: ${other} of ${actual.length} rounded the other way`);
}

const relu = ({ dims, data }: Array64): Array64 => ({ dims, data: data.map((x) => Math.max(0, x)) });

describe('a convolution computes quantize, convolve, quantize', () => {
  interface Case {
    readonly input: readonly number[];
    readonly weight: readonly number[];
    readonly spec?: ConvSpec;
    readonly bias?: boolean;
    readonly relu?: boolean;
    readonly settings?: Settings;
  }
  const cases: Record<string, Case> = {
    '2-D with bias': { input: [1, 3, 6, 5], weight: [4, 3, 3, 3], spec: { pad: 1 }, bias: true },
    '2-D with stride, without bias': { input: [2, 3, 7, 7], weight: [5, 3, 3, 3], spec: { stride: 2 } },
    '1-D': { input: [1, 3, 12], weight: [4, 3, 3], bias: true },
    '3-D': { input: [1, 2, 4, 4, 4], weight: [3, 2, 2, 2, 2], bias: true },
    grouped: { input: [1, 6, 5, 5], weight: [4, 3, 3, 3], spec: { group: 2, pad: 1 }, bias: true },
    depthwise: { input: [1, 4, 6, 6], weight: [4, 1, 3, 3], spec: { group: 4, pad: 1 }, bias: true },
    'folded Relu': { input: [1, 3, 6, 6], weight: [4, 3, 3, 3], bias: true, relu: true },
    'folded Relu, int8': {
      input: [1, 3, 6, 6],
      weight: [4, 3, 3, 3],
      bias: true,
      relu: true,
      settings: { activations: 'int8' },
    },
    'folded Relu, 7 bits': {
      input: [1, 3, 6, 6],
      weight: [4, 3, 3, 3],
      bias: true,
      relu: true,
      settings: { activations: 'uint8' },
    },
    'uint16 at opset 21': {
      input: [1, 3, 6, 6],
      weight: [4, 3, 3, 3],
      bias: true,
      settings: { activations: 'uint16' },
    },
    'int16 at opset 21': { input: [1, 3, 6, 6], weight: [4, 3, 3, 3], bias: true, settings: { activations: 'int16' } },
  };
  const RANGES: Record<string, readonly [number, number]> = {
    uint8: [0, 255],
    int8: [-128, 127],
    uint16: [0, 65535],
    int16: [-32768, 32767],
  };
  for (const [name, { input, weight, spec = {}, bias, relu: cut, settings = {} }] of Object.entries(cases)) {
    test(name, async () => {
      const { group = 1, stride = 1, pad = 0 } = spec;
      const rank = weight.length - 2;
      const constants = { w: tensor(...weight), ...(bias === true ? { b: tensor(weight[0]!) } : {}) };
      const attributes = { group, strides: Array<number>(rank).fill(stride), pads: Array<number>(2 * rank).fill(pad) };
      const model = buildModel({
        opset: 13,
        inputs: { x: input },
        constants,
        nodes: [
          node('Conv', ['x', ...Object.keys(constants)], [cut === true ? 'a' : 'y'], attributes),
          ...(cut === true ? [node('Relu', ['a'], ['y'])] : []),
        ],
        outputs: ['y'],
      });
      const feeds = { x: tensor(...input) };
      const quantized = await quantize(model, [feeds], settings);
      const [qmin, qmax] = RANGES[(settings.activations as string | undefined) ?? 'uint8']!;
      const xs = affineOf(quantized.ranges.get('x')!, qmin, qmax);
      const ys = affineOf(quantized.ranges.get('y')!, qmin, qmax);
      for (const [key, wanted] of [
        ['x', xs],
        ['y', ys],
      ] as const) {
        const { scale, zeroPoint } = quantized.conversion.activations.get(key)!;
        assert.deepEqual({ scale, zeroPoint }, { scale: wanted.scale, zeroPoint: wanted.zeroPoint }, key);
      }
      const weights = fakeQuantizeWeight(constants.w, 0);
      const biases = constants.b === undefined ? undefined : fakeQuantizeBias(constants.b, xs.scale, weights.scales);
      const exact = conv(fakeQuantize(toArray64(feeds.x), xs), weights.weight, biases, spec);
      assertIntegers(await integersOf(quantized, feeds, 'y'), cut === true ? relu(exact) : exact, ys, name);
    });
  }
});

describe('a matrix product computes quantize, multiply, quantize', () => {
  const K = 12;
  const N = 5;
  const a = tensor(4, K);
  const straight = tensor(K, N);
  const turned = tensor(N, K);
  const bias = tensor(N);
  const row = { ...bias, dims: [1, N] };

  interface Case {
    readonly nodes: readonly NodeProto[];
    readonly constants: Record<string, Tensor>;
    readonly transB?: boolean;
    readonly alpha?: number;
    readonly biased?: boolean;
  }
  const cases: Record<string, Case> = {
    MatMul: { nodes: [node('MatMul', ['x', 'w'], ['p'])], constants: { w: straight } },
    'MatMul and Add': {
      nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['p'])],
      constants: { w: straight, b: bias },
      biased: true,
    },
    'MatMul and Add of [1, N]': {
      nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', ['b', 'm'], ['p'])],
      constants: { w: straight, b: row },
      biased: true,
    },
    Gemm: { nodes: [node('Gemm', ['x', 'w', 'b'], ['p'])], constants: { w: straight, b: bias }, biased: true },
    'Gemm with transB': {
      nodes: [node('Gemm', ['x', 'w', 'b'], ['p'], { transB: 1 })],
      constants: { w: turned, b: bias },
      transB: true,
      biased: true,
    },
    'Gemm with transB, alpha and [1, N]': {
      nodes: [node('Gemm', ['x', 'w', 'b'], ['p'], { transB: 1, alpha: { f: 0.5 } })],
      constants: { w: turned, b: row },
      transB: true,
      alpha: 0.5,
      biased: true,
    },
    'Gemm without C': { nodes: [node('Gemm', ['x', 'w'], ['p'])], constants: { w: straight } },
  };
  for (const [name, { nodes, constants, transB = false, alpha = 1, biased = false }] of Object.entries(cases)) {
    test(name, async () => {
      // A Relu that another product reads, so that p becomes integers.
      const model = buildModel({
        opset: 13,
        inputs: { x: ['batch', K] },
        constants: { ...constants, w2: tensor(N, 3) },
        nodes: [...nodes, node('MatMul', ['p', 'w2'], ['y'])],
        outputs: ['y'],
      });
      const feeds = { x: a };
      const quantized = await quantize(model, [feeds]);
      const xs = affineOf(quantized.ranges.get('x')!, 0, 255);
      const ps = affineOf(quantized.ranges.get('p')!, 0, 255);
      const { weight, scales } = fakeQuantizeWeight(constants['w']!, transB ? 0 : 1);
      const exact = product(fakeQuantize(toArray64(a), xs), transB ? transposed(weight) : weight);
      const addend = fakeQuantizeBias(bias, xs.scale * alpha, scales);
      exact.data.forEach((sum, i) => (exact.data[i] = alpha * sum + (biased ? addend[i % N]! : 0)));
      assertIntegers(await integersOf(quantized, feeds, 'p'), exact, ps, name);
      for (const level of ['disabled', 'all'] as const) {
        const more = await outputsAt(quantized.conversion.model, { x: tensor(7, K) }, level);
        assert.deepEqual(more['y']!.dims, [7, 3], 'the batch stays free');
      }
    });
  }

  test('MatMul and Add of more than two dimensions run as one int8 Gemm, with a Relu and without', async () => {
    const x = tensor(2, 3, K);
    for (const relu of [false, true]) {
      const model = buildModel({
        opset: 13,
        inputs: { x: [2, 3, K] },
        constants: { w: straight, b: bias, w2: tensor(N, 3) },
        nodes: [
          ...[node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['a'])],
          ...(relu ? [node('Relu', ['a'], ['p']), node('MatMul', ['p', 'w2'], ['y'])] : []),
        ],
        outputs: [relu ? 'y' : 'a'],
      });
      const made = await quantize(model, [{ x }]);
      const { conversion, ranges } = made;
      const xs = affineOf(ranges.get('x')!, 0, 255);
      const { weight, scales } = fakeQuantizeWeight(straight, 1);
      const exact = product(fakeQuantize({ ...toArray64(x), dims: [6, K] }, xs), weight);
      const addend = fakeQuantizeBias(bias, xs.scale, scales);
      exact.data.forEach((sum, i) => (exact.data[i] = sum + addend[i % N]!));
      if (relu) {
        assertIntegers(await integersOf(made, { x }, 'p'), exact, affineOf(ranges.get('p')!, 0, 255), 'p');
      } else {
        const { a: output } = await outputsAt(conversion.model, { x }, 'all');
        const largest = Math.max(...exact.data.map(Math.abs));
        (output!.data as Float32Array).forEach((value, i) => {
          assert.ok(Math.abs(value - exact.data[i]!) < 1e-5 * largest, `${i}: ${value}, not ${exact.data[i]}`);
        });
      }
      const ops = opsOf(await optimizeModel(conversion.model, 'extended'));
      assert.ok(ops.includes('QGemm') && !ops.some((op) => ['Gemm', 'MatMul', 'Add'].includes(op)), ops.join(' '));
    }
  });
});

describe('stored integers', () => {
  const SHAPE = { pads: [1, 1, 1, 1] };
  const model = (w: Tensor, b: Tensor): OnnxModel =>
    buildModel({
      opset: 13,
      inputs: { x: [1, 2, 4, 4] },
      constants: { w, b },
      nodes: [node('Conv', ['x', 'w', 'b'], ['y'], SHAPE)],
      outputs: ['y'],
    });

  test('of weights, scales and bias follow the formulas', async () => {
    const w = f32([2, 2, 1, 1], [0.5, -1.27, 0, 0.127]);
    const b = f32([2], [1, -2]);
    const feeds = {
      x: f32(
        [1, 2, 4, 4],
        Array.from({ length: 32 }, (_, i) => i / 31),
      ),
    };
    const { conversion } = await quantize(model(w, b), [feeds]);
    const scales = [Math.fround(Math.fround(1.27) / 127), Math.fround(Math.fround(0.127) / 127)];
    assert.deepEqual([...conversion.weights.get('Conv_of_y')!.scales], scales);
    assert.deepEqual([...storedInput(conversion.model, 'Conv_of_y', 1).data], [50, -127, 0, 127]);
    const input = Math.fround(1 / 255);
    const biases = storedInput(conversion.model, 'Conv_of_y', 2);
    assert.equal(biases.type, 'int32');
    assert.deepEqual(
      [...biases.data],
      scales.map((scale, i) => Math.round(Number(b.data[i]) / Math.fround(input * scale))),
    );
  });

  test('per tensor, and asymmetric uint8', async () => {
    const w = f32([2, 2, 1, 1], [0.5, -1, 0, 1.55]);
    const feeds = { x: tensor(1, 2, 4, 4) };
    const weights = { type: 'uint8' as const, symmetric: false, granularity: 'per-tensor' as const };
    const { conversion } = await quantize(model(w, f32([2], [0, 1])), [feeds], { weights });
    const scale = 2.55 / 255;
    const { scales, zeroPoints, axis } = conversion.weights.get('Conv_of_y')!;
    assert.ok(Math.abs(scales[0]! - scale) < 1e-8 && scales.length === 1 && axis === null);
    assert.deepEqual([...zeroPoints], [100]);
    assert.deepEqual([...storedInput(conversion.model, 'Conv_of_y', 1).data], [150, 0, 100, 255]);
  });

  test('a channel of zeros and a range of zeros have the scale 1', async () => {
    const w = f32([2, 2, 1, 1], [0, 0, 1, 1]);
    const feeds = { x: f32([1, 2, 4, 4], Array<number>(32).fill(0)) };
    const { conversion } = await quantize(model(w, f32([2], [0, 0])), [feeds]);
    assert.equal(conversion.weights.get('Conv_of_y')!.scales[0], 1);
    for (const name of ['x', 'y']) {
      const { scale, zeroPoint } = conversion.activations.get(name)!;
      assert.deepEqual([scale, zeroPoint], [1, 0], name);
    }
    const outputs = await outputsAt(conversion.model, feeds, 'all');
    assert.ok((outputs['y']!.data as Float32Array).every((y) => y === 0));
  });

  test('a bias is exact however small the weights of its channel', async () => {
    for (const [size, value] of [
      [1e-12, 3],
      [1e-30, -50],
      [1e-42, 1],
      [0, 0.003],
    ] as const) {
      const w = f32([2, 2, 1, 1], [size, -size, 1, 1]);
      const b = f32([2], [value, 0.25]);
      const feeds = { x: tensor(1, 2, 4, 4) };
      const { conversion } = await quantize(model(w, b), [feeds]);
      const [first, second] = storedInput(conversion.model, 'Conv_of_y', 2).data as Int32Array;
      assert.ok(Math.abs(first!) <= 2 ** 30 + 1 && Math.abs(first!) > 2 ** 29, `${first}`);
      const { scale } = conversion.activations.get('x')!;
      const { scales } = conversion.weights.get('Conv_of_y')!;
      assert.ok(Math.abs(first! * scales[0]! * scale - value) < 1e-5 * Math.abs(value));
      assert.ok(Math.abs(second! * scales[1]! * scale - 0.25) < 1e-4, 'its neighbour is not touched');
      assert.equal(scales[1], Math.fround(1 / 127));
      const { y } = await outputsAt(conversion.model, feeds, 'all');
      assert.ok(Math.abs(Number(y!.data[0]) - value) <= conversion.activations.get('y')!.scale);
    }
  });
});

describe('what is missing', () => {
  test('a range', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [1, 2, 4, 4] },
      constants: { w: tensor(2, 2, 1, 1) },
      nodes: [node('Conv', ['x', 'w'], ['y'])],
      outputs: ['y'],
    });
    const planned = await planOf(model);
    const ranges = await measure(planned, [{ x: tensor(1, 2, 4, 4) }]);
    ranges.delete('x');
    assert.throws(() => toQdq(planned.model, planned.plan, { ranges, convention: 'ort' }), { code: 'plan-impossible' });
  });
});
