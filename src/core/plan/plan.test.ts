import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { layerOf, planOf, type Settings } from '../convert/fixtures/quantized';
import { buildModel, i64, node } from '../normalize/fixtures/models';
import type { OnnxModel } from '../onnx/model';
import { makeTensor, type Tensor } from '../tensor';
import { between, KERNEL, PADS, ramp, summary } from './fixtures/between';
import { requiredOpset } from './plan';

describe('the bias of a MatMul', () => {
  const product = (bias: Tensor, x: readonly (number | string)[] = [3, 8]): OnnxModel =>
    buildModel({
      opset: 13,
      inputs: { x },
      constants: { w: ramp(8, 4), bias },
      nodes: [node('MatMul', ['x', 'w'], ['a']), node('Add', ['bias', 'a'], ['y'])],
      outputs: ['y'],
    });

  test('belongs to the layer where the two are a Gemm', async () => {
    for (const model of [
      product(ramp(4)),
      product(ramp(1, 4)),
      product(ramp(4), ['n', 8]),
      product(ramp(4), [2, 3, 8]),
    ]) {
      const { plan } = await planOf(model);
      const layer = layerOf(plan, 'MatMul_of_a');
      assert.deepEqual(
        [layer.fused.map((n) => n.opType), layer.bias, layer.outputs, plan.layers.length],
        [['Add'], 'bias', ['y'], 1],
      );
    }
  });

  test('stays an Add where they are not', async () => {
    const matrices = [product(ramp(3, 1)), product(ramp(3, 4)), product(ramp(1))];
    // Of another rank: where a size is open, or more than a vector is added.
    const stacks = [product(ramp(4), ['n', 3, 8]), product(ramp(1, 4), [2, 3, 8]), product(ramp(1), [2, 3, 8])];
    for (const model of [...matrices, ...stacks]) {
      const { plan } = await planOf(model);
      assert.deepEqual(summary(plan), { MatMul_of_a: 'int8', Add_of_y: 'float-island' });
      assert.equal(layerOf(plan, 'MatMul_of_a').bias, null);
    }
    const layers = [{ select: 'op:Add', quantize: false }];
    const { plan } = await planOf(product(ramp(4)), { layers });
    assert.deepEqual(summary(plan), { MatMul_of_a: 'int8', Add_of_y: 'excluded' });
  });
});

describe('Gemm', () => {
  const gemm = (
    attributes: Record<string, number | { f: number }>,
    c: Tensor | null,
    inputs = { x: [3, 8] },
  ): OnnxModel =>
    buildModel({
      opset: 13,
      inputs,
      constants: { w: ramp(8, 4), ...(c === null ? {} : { c }) },
      nodes: [node('Gemm', ['x', 'w', ...(c === null ? [] : ['c'])], ['y'], attributes)],
      outputs: ['y'],
    });

  test('is quantized where the kernel computes the same', async () => {
    for (const model of [
      gemm({}, null),
      gemm({ alpha: { f: -1 } }, null),
      gemm({ beta: { f: 2 } }, ramp(4)),
      gemm({}, ramp(1)),
      gemm({}, ramp(4)),
      gemm({}, ramp(1, 4)),
      gemm({ alpha: { f: 2 } }, ramp(4)),
      gemm({ beta: { f: 2 } }, null),
    ]) {
      assert.deepEqual(summary((await planOf(model)).plan), { Gemm_of_y: 'int8' });
    }
  });

  test('is without what no kernel does: that stands beside it', async () => {
    const transposed = gemm({ transA: 1 }, null, { x: [8, 3] });
    assert.deepEqual(summary((await planOf(transposed)).plan), {
      Gemm_of_y_Transpose: 'data-movement',
      Gemm_of_y: 'int8',
    });
    for (const model of [gemm({}, ramp(3, 4)), gemm({ beta: { f: 2 } }, ramp(3, 1))]) {
      assert.deepEqual(summary((await planOf(model)).plan), { Gemm_of_y: 'int8', Gemm_of_y_Add: 'float-island' });
    }
  });
});

describe('weights', () => {
  const model = buildModel({
    opset: 13,
    inputs: { x: [1, 4, 6, 6] },
    constants: {
      w: KERNEL,
      depthwise: ramp(4, 1, 3, 3),
      doubled: ramp(8, 1, 3, 3),
      fc: ramp(10, 288),
      product: ramp(10, 5),
      flat: i64([2], [1, -1]),
    },
    nodes: [
      node('Conv', ['x', 'w'], ['a'], PADS),
      node('Conv', ['a', 'depthwise'], ['b'], { ...PADS, group: 4 }),
      node('Conv', ['b', 'doubled'], ['c'], { ...PADS, group: 4 }),
      node('Reshape', ['c', 'flat'], ['d']),
      node('Gemm', ['d', 'fc'], ['e'], { transB: 1 }),
      node('MatMul', ['e', 'product'], ['y']),
    ],
    outputs: ['y'],
  });
  const of = async (settings: Settings, saturates = false): Promise<Record<string, unknown>> => {
    const { plan } = await planOf(model, settings, saturates);
    return Object.fromEntries(
      plan.layers.flatMap(({ name, weight }) => (weight === null ? [] : [[name.replace(/.*_of_/, ''), weight]])),
    );
  };
  const pick = (weights: Record<string, unknown>, key: string): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [name, (weight as Record<string, unknown>)[key]]),
    );

  test('channels lie on the axis of the outputs', async () => {
    assert.deepEqual(pick(await of({}), 'axis'), { a: 0, b: 0, c: 0, e: 0, y: 1 });
    const none = { a: null, b: null, c: null, e: null, y: null };
    assert.deepEqual(pick(await of({ backend: 'qnnpack' }), 'axis'), none);
    assert.deepEqual(pick(await of({ weights: { granularity: 'per-tensor' } }), 'axis'), none);
    assert.deepEqual(pick(await of({ mode: 'dynamic' }), 'axis'), { e: 0, y: 1 });
    const layers = [{ select: 'MatMul_of_y', weights: { granularity: 'per-tensor' as const } }];
    assert.deepEqual(pick(await of({ layers }), 'axis'), { a: 0, b: 0, c: 0, e: 0, y: null });
  });

  test('only layers whose products can overflow are guarded', async () => {
    const pairs = { a: 'pairs', b: 'none', c: 'pairs', e: 'pairs', y: 'pairs' };
    const none = { a: 'none', b: 'none', c: 'none', e: 'none', y: 'none' };
    assert.deepEqual(pick(await of({}, true), 'saturation'), pairs);
    assert.deepEqual(pick(await of({}, false), 'saturation'), none);
    assert.deepEqual(pick(await of({ weights: 'uint8' }, true), 'saturation'), none, 'u8×u8 has another kernel');
    assert.deepEqual(pick(await of({ weights: { reduceRange: true } }, true), 'saturation'), none);
    assert.deepEqual(pick(await of({ backend: 'fbgemm' }, true), 'saturation'), none, 'its activations have 7 bits');
    assert.deepEqual(pick(await of({ mode: 'weight-only' }, true), 'saturation'), none, 'computes in float');
    const dynamic = { e: 'pairs', y: 'pairs' };
    for (const backend of ['ort-cpu', 'fbgemm'] as const) {
      assert.deepEqual(pick(await of({ mode: 'dynamic', backend }, true), 'saturation'), dynamic);
    }
    const asymmetric = await of({ weights: { symmetric: false } }, true);
    assert.deepEqual(pick(asymmetric, 'saturation'), none);
    assert.deepEqual(pick(asymmetric, 'qmax'), { a: 64, b: 127, c: 64, e: 64, y: 64 }, 'seven bits instead');
  });

  test('ranges', async () => {
    const range = (weights: Record<string, unknown>): unknown[] => {
      const { type, qmin, qmax, symmetric } = weights['a'] as Record<string, unknown>;
      return [type, qmin, qmax, symmetric];
    };
    assert.deepEqual(range(await of({})), ['int8', -127, 127, true]);
    assert.deepEqual(range(await of({ backend: 'x86' })), ['int8', -128, 127, true]);
    assert.deepEqual(range(await of({ weights: { reduceRange: true } })), ['int8', -64, 64, true]);
    assert.deepEqual(range(await of({ weights: { type: 'uint8', symmetric: false } })), ['uint8', 0, 255, false]);
    assert.deepEqual(range(await of({ backend: 'qnn' })), ['uint8', 0, 255, false]);
  });
});

describe('what the recipe needs', () => {
  test('the lowest opset', () => {
    assert.equal(requiredOpset({ model: 'm' }), 13);
    assert.equal(requiredOpset({ model: 'm', mode: 'dynamic' }), 11);
    assert.equal(requiredOpset({ model: 'm', mode: 'weight-only' }), 13);
    assert.equal(requiredOpset({ model: 'm', activations: 'int16' }), 21);
    assert.equal(requiredOpset({ model: 'm', layers: [{ select: 'a', activations: { type: 'uint16' } }] }), 21);
  });

  test('QOperator knows no 16 bits', async () => {
    const model = between([node('Relu', ['a'], ['b'])]);
    await assert.rejects(planOf(model, { format: 'qoperator', activations: 'uint16' }), { code: 'plan-impossible' });
    await planOf(model, { format: 'qoperator' });
  });

  test('dynamic and weight-only plan no activations, and a bias that is fed is added beside the product', async () => {
    const runtimeBias = buildModel({
      opset: 13,
      inputs: { x: [3, 8], c: [1, 4] },
      constants: { w: ramp(8, 4) },
      nodes: [node('Gemm', ['x', 'w', 'c'], ['y'], { beta: { f: 2 } }), node('Gemm', ['x', 'w', 'c'], ['z'])],
      outputs: ['y', 'z'],
    });
    const modes = async (mode: 'static' | 'dynamic' | 'weight-only'): Promise<unknown> => {
      const { plan } = await planOf(runtimeBias, { mode });
      if (mode !== 'static') assert.equal(plan.activations.size, 0);
      return summary(plan);
    };
    const planned = (beside: string): unknown => ({
      Gemm_of_y: 'int8',
      Gemm_of_y_Mul: beside,
      Gemm_of_y_Add: beside,
      Gemm_of_z: 'int8',
      Gemm_of_z_Add: beside,
    });
    assert.deepEqual(await modes('static'), planned('float-island'));
    assert.deepEqual(await modes('dynamic'), planned('mode-skips-op'));
    assert.deepEqual(await modes('weight-only'), planned('mode-skips-op'));
  });

  test('int8 and bool inputs are no trouble', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: ['uint8', [1, 4, 6, 6]] },
      constants: { w: KERNEL, two: makeTensor('float32', [], Float32Array.of(2)) },
      nodes: [node('Cast', ['x'], ['f'], { to: 1 }), node('Conv', ['f', 'w'], ['y'], PADS)],
      outputs: ['y'],
    });
    assert.equal(layerOf((await planOf(model)).plan, 'Conv_of_y').quantize, true);
  });
});

test('what computes with shapes and constants alone is no layer, whatever data is fed', async () => {
  const model = buildModel({
    opset: 13,
    inputs: { x: ['n', 4, 6, 6] },
    constants: { w: KERNEL, zero: i64([1], [0]), rest: i64([1], [-1]) },
    nodes: [
      node('Conv', ['x', 'w'], ['c'], PADS),
      node('Shape', ['c'], ['s']),
      node('Gather', ['s', 'zero'], ['first']),
      node('Concat', ['first', 'rest'], ['target'], { axis: 0 }),
      node('Reshape', ['c', 'target'], ['y']),
      // A size that follows from values is a shape all the same; what is found is not.
      node('NonZero', ['y'], ['found']),
      node('Shape', ['found'], ['count']),
      node('Cast', ['count'], ['z'], { to: 1 }),
    ],
    outputs: ['y', 'z'],
  });
  const { plan } = await planOf(model);
  assert.deepEqual(
    plan.layers.map(({ op }) => op),
    ['Conv', 'Reshape', 'NonZero'],
  );
  assert.equal(plan.shapeComputations, 5);
});
