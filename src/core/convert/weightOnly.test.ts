import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { opsOf, outputsAt, planOf, quantize, storedInput, type Settings } from './fixtures/quantized';
import { conv, fakeQuantizeWeight, toArray64 } from './fixtures/reference';
import { serializeModel } from '../onnx/model';

const next = random(31);
const tensor = (...dims: number[]): ReturnType<typeof randomTensor> => randomTensor('float32', dims, next, 2);

describe('weight-only', () => {
  const w = tensor(8, 4, 3, 3);
  const b = tensor(8);
  const model = buildModel({
    opset: 13,
    inputs: { x: ['batch', 4, 8, 8] },
    constants: { w, b },
    nodes: [node('Conv', ['x', 'w', 'b'], ['a']), node('Relu', ['a'], ['y'])],
    outputs: ['y'],
  });
  const feeds = { x: tensor(2, 4, 8, 8) };

  test('computes in float with rounded weights', async () => {
    const { conversion, plan } = await quantize(model, [feeds], { mode: 'weight-only' });
    const exact = conv(toArray64(feeds.x), fakeQuantizeWeight(w, 0).weight, Float64Array.from(b.data as Float32Array));
    for (const level of ['disabled', 'extended', 'all'] as const) {
      const { y } = await outputsAt(conversion.model, feeds, level);
      y!.data.forEach((value, i) => {
        assert.ok(Math.abs(Number(value) - Math.max(0, exact.data[i]!)) < 1e-4, `${level} ${i}`);
      });
    }
    assert.deepEqual(opsOf(conversion.model), ['DequantizeLinear', 'Conv', 'Relu']);
    assert.equal(storedInput(conversion.model, 'Conv_of_a', 1).type, 'int8');
    assert.deepEqual([plan.activations.size, conversion.activations.size], [0, 0]);
    assert.equal(conversion.weights.get('Conv_of_a')!.scales.length, 8);
    assert.ok(serializeModel(conversion.model).length < serializeModel(model).length);
  });

  test('a weight that two layers read in one way is stored once', async () => {
    const v = tensor(5, 5);
    const shared = buildModel({
      opset: 13,
      inputs: { x: [2, 5] },
      constants: { v },
      nodes: [
        node('MatMul', ['x', 'v'], ['a']),
        node('Gemm', ['a', 'v'], ['b']),
        node('Gemm', ['b', 'v'], ['y'], { transB: 1, beta: { f: 3 } }),
      ],
      outputs: ['y'],
    });
    const { conversion } = await quantize(shared, [{ x: tensor(2, 5) }], { mode: 'weight-only' });
    const int8 = new Graph(conversion.model).proto.initializer.filter(({ dims }) => dims.length === 2);
    assert.equal(int8.length, 2, 'the transposed one has its channels on the other axis');
    assert.equal(conversion.weights.size, 3);
    const x = { x: tensor(2, 5) };
    const [fp32, rounded] = [await outputsAt(shared, x, 'disabled'), await outputsAt(conversion.model, x, 'all')];
    rounded['y']!.data.forEach((value, i) => {
      assert.ok(Math.abs(Number(value) - Number(fp32['y']!.data[i])) < 0.1);
    });
  });

  test('what is excluded keeps its float weight', async () => {
    const settings: Settings = { mode: 'weight-only', layers: [{ select: 'op:Conv', quantize: false }] };
    const { conversion } = await quantize(model, [feeds], settings);
    assert.deepEqual(opsOf(conversion.model), ['Conv', 'Relu']);
    const { plan } = await planOf(model, settings);
    assert.equal(plan.layers[0]?.reason, 'excluded');
    assert.match(conversion.warnings.join(), /no layer/);
  });
});
