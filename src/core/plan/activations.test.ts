import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { layerOf, planOf, type Settings } from '../convert/fixtures/quantized';
import { buildModel, f32, i64, node } from '../normalize/fixtures/models';
import type { OnnxModel } from '../onnx/model';
import type { Tensor } from '../tensor';
import { between, IMAGE, KERNEL, PADS, ramp, summary } from './fixtures/between';
import type { Plan } from './types';

describe('folding of activations', () => {
  const clip = (low: number, high: number): Record<string, Tensor> => ({ low: f32([], [low]), high: f32([], [high]) });
  const CLIP = [node('Clip', ['a', 'low', 'high'], ['b'])];
  const RELU = [node('Relu', ['a'], ['b'])];

  const folded = async (model: OnnxModel, settings?: Settings): Promise<boolean> => {
    const { plan } = await planOf(model, settings);
    return layerOf(plan, 'Conv_of_a').fused.length > 0;
  };

  test('Relu and Clip around 0 fold into asymmetric integers', async () => {
    assert.ok(await folded(between(RELU)));
    assert.ok(await folded(between(CLIP, clip(0, 6))));
    assert.ok(await folded(between(CLIP, clip(-1, 1))));
    assert.ok(await folded(between(RELU), { backend: 'xnnpack' }), 'int8 as well');
  });

  test('a Clip beside 0 does not', async () => {
    assert.ok(!(await folded(between(CLIP, clip(1, 6)))));
    assert.ok(!(await folded(between(CLIP, clip(-6, -1)))));
  });

  test('a Clip whose bounds are computed does not', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { ...IMAGE, high: [] },
      constants: { w: KERNEL, low: f32([], [0]) },
      nodes: [node('Conv', ['x', 'w'], ['a'], PADS), ...CLIP, node('Conv', ['b', 'w'], ['y'], PADS)],
      outputs: ['y'],
    });
    assert.ok(!(await folded(model)));
  });

  test('a reduced range takes Relu but no Clip', async () => {
    assert.ok(await folded(between(RELU), { backend: 'fbgemm' }));
    assert.ok(!(await folded(between(CLIP, clip(0, 6)), { backend: 'fbgemm' })));
  });

  test('symmetric integers take neither, whoever asks for them', async () => {
    assert.ok(!(await folded(between(RELU), { activations: { symmetric: true } })));
    for (const select of ['Conv_of_a', 'Conv_of_y']) {
      const layers = [{ select, activations: { symmetric: true } }];
      const { plan } = await planOf(between(RELU), { layers });
      assert.equal(layerOf(plan, 'Conv_of_a').fused.length, 0, select);
      assert.equal(plan.activations.get(select === 'Conv_of_a' ? 'a' : 'b')?.symmetric, true);
      assert.equal(layerOf(plan, 'Relu_of_b').quantize, false);
    }
  });

  test('what others see stays', async () => {
    const seen = buildModel({
      opset: 13,
      inputs: IMAGE,
      constants: { w: KERNEL },
      nodes: [node('Conv', ['x', 'w'], ['a'], PADS), ...RELU, node('Conv', ['b', 'w'], ['y'], PADS)],
      outputs: ['y', 'a'],
    });
    assert.ok(!(await folded(seen)), 'a graph output');
    assert.ok(!(await folded(between([...RELU, node('Abs', ['a'], ['c'])]))), 'two readers');
    const layers = [{ select: 'Relu_of_b', quantize: false }];
    assert.ok(!(await folded(between(RELU), { layers })), 'excluded');
  });

  test('a matrix product whose output stays in float keeps its Relu', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [2, 8] },
      constants: { w: ramp(8, 8) },
      nodes: [
        node('Gemm', ['x', 'w'], ['a']),
        node('Relu', ['a'], ['b']),
        node('MatMul', ['b', 'w'], ['c']),
        node('Relu', ['c'], ['y']),
      ],
      outputs: ['y'],
    });
    const { plan } = await planOf(model);
    assert.deepEqual(summary(plan), {
      Gemm_of_a: 'int8+Relu',
      MatMul_of_c: 'int8',
      Relu_of_y: 'op-not-supported',
    });
    assert.deepEqual([...plan.activations.keys()].sort(), ['b', 'x']);
  });
});

describe('shared scales', () => {
  const groupOf = (plan: Plan, tensor: string): string | undefined => plan.activations.get(tensor)?.group;

  test('moving operators keep the scale of their input', async () => {
    const { plan } = await planOf(
      between(
        [
          node('MaxPool', ['a'], ['m'], { kernel_shape: [1, 1] }),
          node('Reshape', ['m', 'flat'], ['r']),
          node('Reshape', ['r', 'image'], ['b']),
        ],
        { flat: i64([2], [1, -1]), image: i64([4], [1, 4, 6, 6]) },
      ),
    );
    assert.deepEqual(
      ['m', 'r', 'b'].map((name) => groupOf(plan, name)),
      ['a', 'a', 'a'],
    );
    assert.equal(groupOf(plan, 'y'), 'y');
  });

  const concat = (first: string, second: string, more: readonly ReturnType<typeof node>[] = []): OnnxModel =>
    buildModel({
      opset: 13,
      inputs: IMAGE,
      constants: { w: KERNEL, w8: ramp(4, 8, 3, 3), low: f32([], [0]), high: f32([], [6]) },
      nodes: [
        node('Conv', ['x', 'w'], ['p'], PADS),
        node('Relu', ['p'], ['relu']),
        node('Conv', ['x', 'w'], ['linear'], PADS),
        node('Conv', ['x', 'w'], ['q'], PADS),
        node('Clip', ['q', 'low', 'high'], ['relu6']),
        node('Conv', ['x', 'w'], ['linear2'], PADS),
        node('Concat', [first, second], ['c'], { axis: 1 }),
        ...more,
        node('Conv', ['c', 'w8'], ['y'], PADS),
      ],
      outputs: ['y'],
    });

  test('a Concat shares with the inputs that only it reads', async () => {
    const { plan } = await planOf(concat('linear', 'linear2'));
    assert.deepEqual([groupOf(plan, 'linear'), groupOf(plan, 'linear2')], [groupOf(plan, 'c'), groupOf(plan, 'c')]);
    const shared = await planOf(concat('linear', 'linear2', [node('Conv', ['linear', 'w'], ['z'], PADS)]));
    assert.equal(groupOf(shared.plan, 'linear'), 'linear');
    assert.equal(groupOf(shared.plan, 'linear2'), groupOf(shared.plan, 'c'));
  });

  test('an input that a folded activation cuts shorter keeps its own scale', async () => {
    for (const [short, long] of [
      ['relu', 'linear'],
      ['relu6', 'relu'],
      ['relu6', 'linear'],
    ] as const) {
      const { plan } = await planOf(concat(short, long));
      assert.equal(groupOf(plan, short), short, `${short} beside ${long}`);
      assert.equal(groupOf(plan, long), groupOf(plan, 'c'), `${long} beside ${short}`);
    }
  });

  test('the widest type of a group holds for all of it', async () => {
    const model = between([node('MaxPool', ['a'], ['m'], { kernel_shape: [1, 1] }), node('Abs', ['m'], ['b'])]);
    const moved = between([node('MaxPool', ['a'], ['b'], { kernel_shape: [1, 1] })]);
    const layers = [{ select: 'Conv_of_y', activations: 'int16' as const }];
    const { plan } = await planOf(moved, { layers });
    for (const name of ['a', 'b']) {
      const { type, qmin, qmax } = plan.activations.get(name)!;
      assert.deepEqual([type, qmin, qmax], ['int16', -32768, 32767], name);
    }
    assert.equal(plan.activations.get('x')?.type, 'uint8');
    assert.equal((await planOf(model, { layers })).plan.activations.get('a')?.type, 'uint8');
  });
});

describe('settings of activations', () => {
  const model = between([node('Sigmoid', ['a'], ['b'])]);

  test('come from the backend, then the recipe, then the layer', async () => {
    const of = async (settings: Settings): Promise<unknown> => {
      const { type, symmetric, qmin, qmax, observer, percentile } = (
        await planOf(model, settings)
      ).plan.activations.get('y')!;
      return { type, symmetric, qmin, qmax, observer, percentile };
    };
    const base = { type: 'uint8', symmetric: false, qmin: 0, qmax: 255, observer: 'mse', percentile: 99.999 };
    assert.deepEqual(await of({}), base);
    assert.deepEqual(await of({ backend: 'fbgemm' }), { ...base, qmax: 127 });
    const int8 = { ...base, type: 'int8', qmin: -128, qmax: 127 };
    assert.deepEqual(await of({ activations: 'int8' }), int8);
    assert.deepEqual(await of({ backend: 'fbgemm', activations: 'int8' }), int8);
    assert.deepEqual(await of({ activations: { type: 'int8', symmetric: true } }), { ...int8, symmetric: true });
    const calibration = { data: 'images', observer: 'percentile' as const, percentile: 99 };
    assert.deepEqual(await of({ calibration }), { ...base, observer: 'percentile', percentile: 99 });
    const layers = [{ select: 'Conv_of_y', observer: 'min-max' as const, activations: 'uint16' as const }];
    const wide = { ...base, type: 'uint16', qmax: 65535, observer: 'min-max', percentile: 99 };
    assert.deepEqual(await of({ calibration, layers }), wide);
  });

  test('a type holds for what a layer reads and writes, an observer for what it writes', async () => {
    const layers = [{ select: 'Conv_of_a', observer: 'min-max' as const, activations: 'uint16' as const }];
    const { plan } = await planOf(model, { layers });
    const found = (name: string): unknown[] => [plan.activations.get(name)?.type, plan.activations.get(name)?.observer];
    assert.deepEqual(found('x'), ['uint16', 'mse']);
    assert.deepEqual(found('a'), ['uint16', 'min-max']);
    assert.deepEqual(found('y'), ['uint8', 'mse']);
  });

  test('a Sigmoid ends at 1 whatever the data, unless it shares its scale', async () => {
    const { plan } = await planOf(model);
    assert.deepEqual(plan.activations.get('b')?.fixedRange, { min: 0, max: 1 });
    const pooled = between([node('Sigmoid', ['a'], ['s']), node('MaxPool', ['s'], ['b'], { kernel_shape: [1, 1] })]);
    assert.equal((await planOf(pooled)).plan.activations.get('s')?.fixedRange, undefined);
  });
});
