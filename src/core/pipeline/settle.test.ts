/** What is planned in int8 runs in int8, or is plain float: over operators, ranks, what stands behind, and what rejects. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QuantscopeError } from '../../shared/errors';
import { BACKENDS } from '../backends/backends';
import { convertWith, measure, outputsAt, planOf, type Planned, type Settings } from '../convert/fixtures/quantized';
import type { Conversion } from '../convert/types';
import { buildModel, f32, i64, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { OnnxModel } from '../onnx/model';
import { makePlan } from '../plan/plan';
import type { Concessions, Plan } from '../plan/types';
import { openSession, type Feeds } from '../runtime/session';
import { toFloat32, type Tensor } from '../tensor';
import { kernelTimes } from '../verify/verify';
import { settle, type Settled } from './settle';

const next = random(5);
const tensor = (...dims: number[]): Tensor => randomTensor('float32', dims, next, 1);

interface Result extends Settled<Planned & { readonly backend: never }, unknown> {
  readonly model: OnnxModel;
  readonly conversions: number;
}

interface Options {
  readonly settings?: Settings;
  readonly use?: (conversion: Conversion, plan: Plan) => Promise<unknown>;
}

async function settled(model: OnnxModel, feeds: Feeds, { settings, use }: Options = {}): Promise<Result> {
  return settledPlan(await planOf(model, settings), feeds, use);
}

async function settledPlan(planned: Planned, feeds: Feeds, use?: Options['use']): Promise<Result> {
  const ranges = await measure(planned, [feeds]);
  let conversions = 0;
  const result = await settle(
    { ...planned, backend: { runsHere: true } as never },
    {
      convert: (plan) => {
        conversions++;
        return convertWith({ ...planned, plan }, ranges);
      },
      use:
        use ??
        ((conversion, plan) => kernelTimes({ fp32: planned.model, conversion, plan, threads: 1, feeds, runs: 1 })),
    },
  );
  return { ...result, model: planned.model, conversions };
}

/** Of each layer: int8 as the plan has it and the runtime does it, or why not. */
function decisions({ prepared, verdicts }: Result): Record<string, string> {
  return Object.fromEntries(
    prepared.plan.layers.map(({ name, quantize, reason }) => {
      if (quantize) assert.equal(verdicts.get(name)?.status, 'quantized', name);
      return [name, reason ?? 'int8'];
    }),
  );
}

/** What of a model's inputs has no name: fixed sizes. */
async function feedsOf(inputs: Readonly<Record<string, readonly number[]>>): Promise<Feeds> {
  return Object.fromEntries(Object.entries(inputs).map(([name, dims]) => [name, tensor(...dims)]));
}

function sqnr(reference: Tensor, other: Tensor): number {
  const [x, y] = [toFloat32(reference), toFloat32(other)];
  const power = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
  return 10 * Math.log10(power(x) / power(x.map((value, i) => value - y[i]!)));
}

describe('every operator, whatever stands behind it', () => {
  const CONSTANTS: Record<string, Tensor> = {
    w: tensor(4, 4, 3, 3),
    m: tensor(6, 6),
    stack: tensor(4, 6, 6),
    b: tensor(6),
    channels: tensor(1, 4, 1, 1),
    zero: f32([], [0]),
    half: f32([], [0.5]),
    one: f32([], [1]),
    six: f32([], [6]),
    shape: i64([4], [1, 4, 6, 6]),
    axis0: i64([1], [0]),
    halves: i64([2], [2, 2]),
  };
  const pads = { pads: [1, 1, 1, 1] };
  const first: Record<string, NodeProto[]> = {
    Conv: [node('Conv', ['x', 'w'], ['a'], pads)],
    MatMul: [node('MatMul', ['x', 'm'], ['a'])],
    'MatMul of a stack': [node('MatMul', ['x', 'stack'], ['a'])],
    'MatMul + Add': [node('MatMul', ['x', 'm'], ['p']), node('Add', ['p', 'b'], ['a'])],
    Gemm: [
      node('Flatten', ['x'], ['flat'], { axis: 3 }),
      node('Gemm', ['flat', 'm', 'b'], ['p']),
      node('Reshape', ['p', 'shape'], ['a']),
    ],
    'Gemm of the last matrix': [node('Flatten', ['x'], ['flat'], { axis: 3 }), node('Gemm', ['flat', 'm', 'b'], ['a'])],
  };
  const pool = { kernel_shape: [3, 3], ...pads };
  const behind: Record<string, NodeProto[]> = {
    Relu: [node('Relu', ['a'], ['c'])],
    'Clip from 0': [node('Clip', ['a', 'zero', 'six'], ['c'])],
    'Clip above 0': [node('Clip', ['a', 'half', 'one'], ['c'])],
    'Clip without end': [node('Clip', ['a', 'zero'], ['c'])],
    'Clip without beginning': [node('Clip', ['a', '', 'six'], ['c'])],
    Sigmoid: [node('Sigmoid', ['a'], ['c'])],
    Swish: [node('Sigmoid', ['a'], ['s']), node('Mul', ['a', 's'], ['c'])],
    HardSwish: [
      node('Add', ['a', 'half'], ['s']),
      node('Clip', ['s', 'zero', 'one'], ['t']),
      node('Mul', ['a', 't'], ['c']),
    ],
    Tanh: [node('Tanh', ['a'], ['c'])],
    Add: [node('Add', ['a', 'channels'], ['c'])],
    'Add of itself': [node('Add', ['a', 'a'], ['c'])],
    Mul: [node('Mul', ['a', 'channels'], ['c'])],
    LeakyRelu: [node('LeakyRelu', ['a'], ['c'])],
    Softmax: [node('Softmax', ['a'], ['c'])],
    MaxPool: [node('MaxPool', ['a'], ['c'], pool)],
    AveragePool: [node('AveragePool', ['a'], ['c'], pool)],
    GlobalAveragePool: [node('GlobalAveragePool', ['a'], ['s']), node('Mul', ['a', 's'], ['c'])],
    Transpose: [node('Transpose', ['a'], ['c'], { perm: [0, 1, 3, 2] })],
    Split: [node('Split', ['a', 'halves'], ['s', 't'], { axis: 1 }), node('Concat', ['t', 's'], ['c'], { axis: 1 })],
    'Squeeze and back': [node('Squeeze', ['a', 'axis0'], ['s']), node('Unsqueeze', ['s', 'axis0'], ['c'])],
    Dropout: [node('Dropout', ['a'], ['c'])],
  };
  const last: Record<string, NodeProto[]> = {
    Conv: [node('Conv', ['c', 'w'], ['y'], pads)],
    MatMul: [node('MatMul', ['c', 'm'], ['y'])],
    Gemm: [node('Flatten', ['c'], ['d'], { axis: 3 }), node('Gemm', ['d', 'm', 'b'], ['y'])],
    'no int8 layer': [node('Neg', ['c'], ['y'])],
  };
  const inputs = { x: [1, 4, 6, 6] };

  for (const [name, before] of Object.entries(first)) {
    test(name, async () => {
      let count = 0;
      for (const [between, middle] of Object.entries(behind)) {
        for (const [end, after] of Object.entries(last)) {
          for (const outputs of [['y'], ['y', 'a']]) {
            const nodes = [...before, ...middle, ...after];
            const constants = Object.fromEntries(
              Object.entries(CONSTANTS).filter(([constant]) => nodes.some(({ input }) => input.includes(constant))),
            );
            const model = buildModel({ opset: 13, inputs, constants, nodes, outputs });
            const feeds = await feedsOf(inputs);
            // Of a matrix not everything can be pooled or split.
            if (!(await runs(model, feeds))) continue;
            count++;
            const found = decisions(await settled(model, feeds));
            // What is handed on unchanged is quantized behind that: other readers keep the product in float.
            if (between === 'Dropout') continue;
            assert.equal(Object.values(found)[name.startsWith('Gemm') ? 1 : 0], 'int8', `${name}, ${between}, ${end}`);
          }
        }
      }
      assert.ok(count >= 60, `${count} models run`);
    });
  }
});

async function runs(model: OnnxModel, feeds: Feeds): Promise<boolean> {
  try {
    await outputsAt(model, feeds, 'disabled');
    return true;
  } catch {
    return false;
  }
}

describe('a product with a constant stack of matrices', () => {
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [2, 3, 4],
      [1, 4, 5],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [[4], [2, 4, 5]],
    [
      [2, 1, 3, 4],
      [3, 4, 5],
    ],
    [
      [2, 3, 3, 4],
      [2, 3, 4, 5],
    ],
  ];
  for (const [x, w] of shapes) {
    for (const mode of ['static', 'dynamic'] as const) {
      test(`[${x.join(', ')}] · [${w.join(', ')}], ${mode}`, async () => {
        const inputs = { x };
        const model = buildModel({
          opset: 13,
          inputs,
          constants: { w: tensor(...w) },
          nodes: [node('MatMul', ['x', 'w'], ['y'])],
          outputs: ['y'],
        });
        const feeds = await feedsOf(inputs);
        const result = await settled(model, feeds, { settings: { mode } });
        assert.deepEqual(decisions(result), { MatMul_of_y: 'int8' });
        const reference = await outputsAt(model, feeds, 'disabled');
        const made = await outputsAt(result.conversion.model, feeds, 'all');
        assert.ok(sqnr(reference['y']!, made['y']!) > 30);
      });
    }
  }
});

describe('MatMul + Add of which the plan knows no shape and the runtime does', () => {
  const model = buildModel({
    opset: 13,
    inputs: { x: [2, 3, 8] },
    constants: { w: tensor(8, 4), b: tensor(4) },
    nodes: [node('MatMul', ['x', 'w'], ['p']), node('Add', ['p', 'b'], ['y'])],
    outputs: ['y'],
  });

  /** As behind a Reshape to a computed shape, which the runtime folds and its inference does not. */
  async function blind(): Promise<Planned> {
    const { tensors, ...planned } = await planOf(model);
    const open = new Map([...tensors].map(([name, info]) => [name, { ...info, shape: ['a', 'b', 'c'] }]));
    const request = { model: planned.model, tensors: open, backend: BACKENDS['ort-cpu'], saturates: false };
    const planWith = (concessions: Concessions): Plan =>
      makePlan({ ...request, recipe: { model: 'test.onnx' }, concessions });
    return { ...planned, tensors: open, planWith, plan: planWith(new Map()) };
  }

  test('is one layer with an int32 bias as soon as the runtime is seen to make a Gemm of it', async () => {
    const planned = await blind();
    assert.equal(planned.plan.layers.length, 2);
    const result = await settledPlan(planned, await feedsOf({ x: [2, 3, 8] }));
    assert.equal(result.conversions, 2);
    assert.deepEqual(decisions(result), { MatMul_of_p: 'int8' });
    assert.equal(result.prepared.plan.layers[0]?.bias, 'b');
    assert.equal(result.verdicts.get('MatMul_of_p')?.kernel, 'QGemm');
  });
});

describe('a kernel that rejects a layer', () => {
  const inputs = { x: [1, 4, 6, 6] };
  const names = Array.from({ length: 12 }, (_, i) => `Conv_of_t${i + 1}`);
  const chain = (): OnnxModel =>
    buildModel({
      opset: 13,
      inputs,
      constants: { w: tensor(4, 4, 3, 3) },
      nodes: names.map((_, i) => node('Conv', [i === 0 ? 'x' : `t${i}`, 'w'], [`t${i + 1}`], { pads: [1, 1, 1, 1] })),
      outputs: [`t${names.length}`],
    });

  /** Fails like the runtime where one of these layers is in int8. */
  const rejecting =
    (bad: readonly string[], message: (name: string) => string) =>
    async (_: Conversion, plan: Plan): Promise<string> => {
      const hit = plan.layers.find(({ name, quantize }) => quantize && bad.includes(name));
      if (hit !== undefined) throw new QuantscopeError('runtime-failed', message(hit.name));
      return Promise.resolve('ran');
    };

  const bad = [names[2]!, names[7]!];
  const expected = Object.fromEntries(names.map((name) => [name, bad.includes(name) ? 'runtime-rejected' : 'int8']));

  test('falls back by the name in the message, and the run goes on', async () => {
    const named = rejecting(bad, (name) => `Non-zero status code returned while running X node. Name:'${name}' Status`);
    const result = await settled(chain(), await feedsOf(inputs), { use: named });
    assert.deepEqual(decisions(result), expected);
    assert.equal(result.used, 'ran');
    assert.equal(result.conversions, 3);
    const graph = new Graph(result.conversion.model);
    for (const name of bad) {
      const [, weight = ''] = graph.nodes.find((found) => found.name === name)!.input;
      assert.equal(graph.producer(weight), undefined, 'its weight is a plain float constant');
    }
  });

  test('is found by halves where the message names none', async () => {
    const silent = rejecting(bad, () => 'onnxruntime failed while running the model');
    const result = await settled(chain(), await feedsOf(inputs), { use: silent });
    assert.deepEqual(decisions(result), expected);
    assert.ok(result.conversions < 20, `${result.conversions} conversions for ${names.length} layers`);
  });

  test('does not take the blame for what fails in float too', async () => {
    const model = chain();
    const use = (): Promise<never> => Promise.reject(new QuantscopeError('runtime-failed', 'indices out of bounds'));
    await assert.rejects(settled(model, await feedsOf(inputs), { use }), { message: 'indices out of bounds' });
  });

  test('a plan that holds is converted once', async () => {
    assert.equal((await settled(chain(), await feedsOf(inputs))).conversions, 1);
  });
});

test('what stays in float computes what it did: the int8 model opens at every level', async () => {
  const model = buildModel({
    opset: 13,
    inputs: { x: [3, 4] },
    constants: { w: tensor(4, 5), b: tensor(5) },
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'], { alpha: { f: 0.5 } })],
    outputs: ['y'],
  });
  const feeds = await feedsOf({ x: [3, 4] });
  const { conversion } = await settled(model, feeds);
  const reference = await outputsAt(model, feeds, 'disabled');
  for (const level of ['disabled', 'basic', 'extended', 'all'] as const) {
    const session = await openSession(conversion.model, { level, threads: 1 });
    const made = await session.run(feeds);
    await session.close();
    assert.ok(sqnr(reference['y']!, made['y']!) > 30, level);
  }
});
