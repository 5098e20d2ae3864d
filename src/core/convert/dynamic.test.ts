import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildModel, f32, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { optimizeModel } from '../runtime/inspect';
import { makeTensor, type Tensor } from '../tensor';
import { classify, findKernels } from '../verify/kernels';
import { opsOf, outputsAt, quantize, type Settings } from './fixtures/quantized';
import { fakeQuantizeWeight, halfEven, product, toArray64, transposed, type Array64 } from './fixtures/reference';

const next = random(23);
const tensor = (...dims: number[]): Tensor => randomTensor('float32', dims, next, 2);

/** DynamicQuantizeLinear and back (ONNX operator documentation), in float64. */
function fakeDynamic({ dims, data }: Array64): Array64 {
  const min = Math.min(0, ...data);
  const max = Math.max(0, ...data);
  const scale = Math.fround((max - min) / 255);
  const zero = halfEven(Math.min(255, Math.max(0, -min / scale)));
  const integer = (x: number): number => Math.min(255, Math.max(0, halfEven(Math.fround(x / scale)) + zero));
  return { dims, data: data.map((x) => (integer(x) - zero) * scale) };
}

async function check(
  model: OnnxModel,
  feeds: Record<string, Tensor>,
  expected: Array64,
  settings: Settings = {},
): Promise<OnnxModel> {
  const { conversion, plan } = await quantize(model, [feeds], { mode: 'dynamic', ...settings });
  for (const level of ['disabled', 'extended', 'all'] as const) {
    const { y } = await outputsAt(conversion.model, feeds, level);
    assert.deepEqual(y!.dims, expected.dims, level);
    const largest = Math.max(...expected.data.map(Math.abs));
    y!.data.forEach((value, i) => {
      const wanted = expected.data[i]!;
      assert.ok(Math.abs(Number(value) - wanted) <= 1e-5 * largest, `${level}: [${i}] is ${value}, not ${wanted}`);
    });
  }
  const optimized = new Graph(await optimizeModel(conversion.model, 'extended'));
  const verdicts = classify(plan, findKernels(plan, conversion, optimized));
  for (const { name, quantize: wanted } of plan.layers) {
    if (wanted) assert.equal(verdicts.get(name)?.status, 'quantized', name);
  }
  return conversion.model;
}

const K = 10;
const N = 6;
const straight = tensor(K, N);
const bias = tensor(N);

const matrix = (
  nodes: readonly NodeProto[],
  constants: Record<string, Tensor>,
  inputs: Record<string, readonly number[]> = {},
): OnnxModel => buildModel({ opset: 11, inputs: { x: ['rows', K], ...inputs }, constants, nodes, outputs: ['y'] });

describe('a dynamic layer computes quantize, multiply, scale, add', () => {
  const x = tensor(4, K);
  const exact = (weight: Tensor, { transB = false, alpha = 1, biased = false } = {}): Array64 => {
    const w = fakeQuantizeWeight(weight, transB ? 0 : 1).weight;
    const { dims, data } = product(fakeDynamic(toArray64(x)), transB ? transposed(w) : w);
    return { dims, data: data.map((sum, i) => alpha * sum + (biased ? Number(bias.data[i % N]) : 0)) };
  };
  const turned = tensor(N, K);

  test('MatMul', async () => {
    const model = await check(matrix([node('MatMul', ['x', 'w'], ['y'])], { w: straight }), { x }, exact(straight));
    assert.deepEqual(opsOf(model), ['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Mul']);
    const main = graphOf(model).node.find(({ name }) => name === 'MatMul_of_y');
    assert.equal(main?.opType, 'MatMulInteger');
    assert.deepEqual(opsOf(await optimizeModel(model, 'extended')), ['DynamicQuantizeMatMul']);
  });

  for (const [what, dims] of [
    ['[N]', [N]],
    ['[1, N]', [1, N]],
  ] as const) {
    test(`MatMul and an Add of ${what}`, async () => {
      const nodes = [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['y'])];
      const model = matrix(nodes, { w: straight, b: { ...bias, dims } });
      const made = await check(model, { x }, exact(straight, { biased: true }));
      assert.deepEqual(opsOf(await optimizeModel(made, 'extended')), ['DynamicQuantizeMatMul']);
    });

    test(`Gemm with transB, alpha and a bias of ${what}`, async () => {
      const gemm = node('Gemm', ['x', 'w', 'b'], ['y'], { transB: 1, alpha: { f: 0.25 } });
      const model = matrix([gemm], { w: turned, b: { ...bias, dims } });
      const made = await check(model, { x }, exact(turned, { transB: true, alpha: 0.25, biased: true }));
      assert.deepEqual(opsOf(await optimizeModel(made, 'extended')), ['DynamicQuantizeMatMul']);
    });
  }

  test('Gemm whose bias is computed', async () => {
    const model = matrix([node('Gemm', ['x', 'w', 'b'], ['y'])], { w: straight }, { b: [N] });
    await check(model, { x, b: bias }, exact(straight, { biased: true }));
  });

  test('asymmetric uint8 weights, per channel and per tensor', async () => {
    for (const granularity of ['per-channel', 'per-tensor'] as const) {
      const model = matrix([node('MatMul', ['x', 'w'], ['y'])], { w: straight });
      const weights = { type: 'uint8' as const, symmetric: false, granularity };
      const groups = granularity === 'per-tensor' ? [[...Array(N).keys()]] : [...Array(N).keys()].map((n) => [n]);
      const w = toArray64(straight);
      for (const columns of groups) {
        const own = w.data.filter((_, i) => columns.includes(i % N));
        const [min, max] = [Math.min(0, ...own), Math.max(0, ...own)];
        const scale = Math.fround((max - min) / 255);
        const zero = halfEven(-min / ((max - min) / 255));
        w.data.forEach((value, i) => {
          if (columns.includes(i % N))
            w.data[i] = (Math.min(255, Math.max(0, halfEven(Math.fround(value / scale)) + zero)) - zero) * scale;
        });
      }
      const expected = product(fakeDynamic(toArray64(x)), w);
      const made = await check(model, { x }, expected, { weights });
      assert.equal(opsOf(made).includes('MatMulInteger'), true);
    }
  });

  test('vectors and batches of matrices', async () => {
    const column = tensor(K);
    const single = buildModel({
      opset: 13,
      inputs: { x: [3, K] },
      constants: { w: column },
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      outputs: ['y'],
    });
    const rows = tensor(3, K);
    const flat = fakeQuantizeWeight({ ...column, dims: [1, K] }, 0).weight;
    const sums = product(fakeDynamic(toArray64(rows)), transposed(flat));
    await check(single, { x: rows }, { dims: [3], data: sums.data });

    const batch = tensor(2, K, N);
    const batched = buildModel({
      opset: 13,
      inputs: { x: [2, 3, K] },
      constants: { w: batch },
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      outputs: ['y'],
    });
    const many = tensor(2, 3, K);
    const a = fakeDynamic(toArray64(many)).data;
    const { weight } = fakeQuantizeWeight(batch, 2);
    const parts = [0, 1].map((i) =>
      product(
        { dims: [3, K], data: a.subarray(i * 3 * K, (i + 1) * 3 * K) },
        { dims: [K, N], data: weight.data.subarray(i * K * N, (i + 1) * K * N) },
      ),
    );
    await check(
      batched,
      { x: many },
      { dims: [2, 3, N], data: Float64Array.from(parts.flatMap(({ data }) => [...data])) },
    );
  });
});

describe('dynamic graphs', () => {
  test('one tensor is quantized once for all its readers', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [2, 3, K] },
      constants: { q: tensor(K, 4), k: tensor(K, 4), b: tensor(4) },
      nodes: [
        node('Relu', ['x'], ['h']),
        node('MatMul', ['h', 'q'], ['u']),
        node('MatMul', ['h', 'k'], ['v']),
        node('Add', ['v', 'b'], ['vb']),
        node('Sub', ['u', 'vb'], ['y']),
      ],
      outputs: ['y'],
    });
    const feeds = { x: tensor(2, 3, K) };
    const { conversion } = await quantize(model, [feeds], { mode: 'dynamic' });
    const ops = opsOf(conversion.model);
    assert.equal(ops.filter((op) => op === 'DynamicQuantizeLinear').length, 1);
    assert.equal(ops.filter((op) => op === 'MatMulInteger').length, 2);
    const optimized = opsOf(await optimizeModel(conversion.model, 'extended'));
    assert.equal(optimized.filter((op) => op === 'MatMulIntegerToFloat').length, 2, optimized.join(' '));
    const { y: fp32 } = await outputsAt(model, feeds, 'disabled');
    const { y } = await outputsAt(conversion.model, feeds, 'all');
    y!.data.forEach((value, i) => {
      assert.ok(Math.abs(Number(value) - Number(fp32!.data[i])) < 0.1);
    });
  });

  test('the float weights are gone, the layers listed', async () => {
    const model = matrix([node('Gemm', ['x', 'w'], ['y'], { transB: 1 })], { w: tensor(N, K) });
    const { conversion } = await quantize(model, [{ x: tensor(1, K) }], { mode: 'dynamic' });
    const graph = new Graph(conversion.model);
    assert.equal(graph.isConstant('w'), false);
    assert.deepEqual(graph.constant('w_quantized')!.dims, [K, N]);
    const { tensor: name, axis, scales } = conversion.weights.get('Gemm_of_y')!;
    assert.deepEqual([name, axis, scales.length], ['w', 0, N]);
    assert.equal(conversion.activations.size, 0);
  });

  test('an LSTM is quantized beside its neighbours', async () => {
    const H = 3;
    const model = buildModel({
      opset: 13,
      inputs: { x: [2, 1, K] },
      constants: { w: tensor(1, 4 * H, K), r: tensor(1, 4 * H, H), fc: tensor(H, N) },
      nodes: [node('LSTM', ['x', 'w', 'r'], ['', 'h'], { hidden_size: H }), node('MatMul', ['h', 'fc'], ['y'])],
      outputs: ['y'],
    });
    const { plan } = await quantize(model, [{ x: tensor(2, 1, K) }], { mode: 'dynamic' });
    assert.deepEqual(
      plan.layers.map(({ op, reason }) => [op, reason]),
      [
        ['LSTM', null],
        ['MatMul', null],
      ],
    );
  });

  test('an input of zeros gives the bias', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['y'])];
    const model = matrix(nodes, { w: straight, b: bias });
    const feeds = { x: makeTensor('float32', [1, K], new Float32Array(K)) };
    const { conversion } = await quantize(model, [feeds], { mode: 'dynamic' });
    const { y } = await outputsAt(conversion.model, feeds, 'all');
    assert.deepEqual([...y!.data], [...bias.data]);
    assert.deepEqual(f32([1, N], [...(bias.data as Float32Array)]).data, y!.data);
  });
});
