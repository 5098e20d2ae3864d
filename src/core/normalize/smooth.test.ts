import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { cloneModel, type OnnxModel } from '../onnx/model';
import { toFloat32, type Tensor } from '../tensor';
import { assertSameOutputs, buildModel, f32, i64, node, random, randomTensor, run } from './fixtures/models';
import { smooth, smoothableTensors, smoothingOf } from './smooth';

const next = random(17);
const values = (dims: readonly number[]): Tensor<'float32'> =>
  randomTensor('float32', dims, next, 2) as Tensor<'float32'>;

/** LayerNormalization → two products; one of them → Relu → Gemm with a transposed weight → a gain and a GELU by its parts → MatMul. */
function chain(): OnnxModel {
  return buildModel({
    opset: 17,
    inputs: { x: [2, 3, 4] },
    constants: {
      ...{ gamma: values([4]), beta: values([4]), wq: values([4, 6]), w1: values([4, 5]), b1: values([5]) },
      ...{
        w2: values([7, 5]),
        b2: values([7]),
        w3: values([7, 3]),
        half: f32([1, 7], new Array<number>(7).fill(0.5)),
        one: f32([1], [1]),
      },
      rows: i64([2], [-1, 5]),
    },
    nodes: [
      node('LayerNormalization', ['x', 'gamma', 'beta'], ['n'], { axis: -1 }),
      node('MatMul', ['n', 'wq'], ['q']),
      node('MatMul', ['n', 'w1'], ['m']),
      node('Add', ['b1', 'm'], ['a']),
      node('Relu', ['a'], ['r']),
      node('Reshape', ['r', 'rows'], ['rr']),
      node('Relu', ['rr'], ['s']),
      node('Gemm', ['s', 'w2', 'b2'], ['g'], { transB: 1 }),
      node('Mul', ['g', 'half'], ['h']),
      node('Tanh', ['g'], ['t']),
      node('Add', ['t', 'one'], ['u']),
      node('Mul', ['h', 'u'], ['gelu']),
      node('MatMul', ['gelu', 'w3'], ['y']),
    ],
    outputs: ['q', 'y'],
  });
}

const PEAKS = new Map([
  ['n', [1, 300, 0.5, 0.01]],
  ['gelu', [1, 2, 0, 500, 3, 1, 4]],
]);

describe('smoothing', () => {
  test('leaves what the model computes alone, whatever the peaks and the strength', async () => {
    const model = chain();
    const feed = values([2, 3, 4]);
    const expected = await run(model, () => feed);
    const peak = fc.oneof(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), fc.constant(0));
    const peaks = fc.tuple(...[4, 7].map((n) => fc.array(peak, { minLength: n, maxLength: n })));
    await fc.assert(
      fc.asyncProperty(peaks, fc.double({ min: 0.1, max: 0.9, noNaN: true }), async ([n = [], gelu = []], strength) => {
        const changed = cloneModel(model);
        const found = new Map([...PEAKS.keys()].map((name, i) => [name, [n, gelu][i]!]));
        assert.equal(smooth(changed, found, strength).length, 2);
        assertSameOutputs(await run(changed, () => feed), expected, 1e-5, 'smoothed');
      }),
      { numRuns: 20 },
    );
  });

  test('finds what products alone read, where constants before it can take the division', () => {
    // Behind the Reshape nothing is known of the channels.
    assert.deepEqual(smoothableTensors(chain()), ['n', 'gelu']);
  });

  test('divides by the formula of the paper, the weights of all readers together', () => {
    const model = chain();
    const graph = new Graph(model);
    const [wq, w1] = ['wq', 'w1'].map((name) => toFloat32(graph.constant(name)!)) as [Float32Array, Float32Array];
    const [first] = smoothingOf(model, PEAKS, 0.25);
    assert.deepEqual(first?.nodes, ['LayerNormalization_of_n', 'MatMul_of_q', 'MatMul_of_m']);
    for (const [c, s] of first.scales.entries()) {
      const row = [...wq.slice(6 * c, 6 * c + 6), ...w1.slice(5 * c, 5 * c + 5)].map(Math.abs);
      const wanted = PEAKS.get('n')![c]! ** 0.25 / Math.max(...row) ** 0.75;
      assert.ok(Math.abs(s / wanted - 1) < 1e-6, `channel ${c}: ${s}, wanted ${wanted}`);
    }
  });

  test('makes activations even, the more the stronger; a channel that is always 0 stays', () => {
    const spread = (strength: number): number => {
      const [first] = smoothingOf(chain(), PEAKS, strength);
      const even = PEAKS.get('n')!.map((peak, c) => peak / first!.scales[c]!);
      return Math.max(...even) / Math.min(...even);
    };
    assert.ok(spread(0.5) < 400 && spread(0.75) < spread(0.5) / 5, `${spread(0.5)}, ${spread(0.75)}`);
    assert.equal(smoothingOf(chain(), PEAKS, 0.5)[1]?.scales[2], 1);
  });

  test('a constant that two layers share is divided for the one alone', async () => {
    const model = buildModel({
      opset: 17,
      inputs: { x: [2, 4] },
      constants: { gamma: values([4]), w: values([4, 3]) },
      nodes: [
        node('LayerNormalization', ['x', 'gamma'], ['n']),
        node('MatMul', ['n', 'w'], ['y']),
        node('LayerNormalization', ['x', 'gamma'], ['z']),
      ],
      outputs: ['y', 'z'],
    });
    const changed = cloneModel(model);
    assert.equal(smooth(changed, new Map([['n', [1, 90, 1, 1]]]), 0.5).length, 1);
    const feed = values([2, 4]);
    assertSameOutputs(await run(changed, () => feed), await run(model, () => feed), 1e-5, 'shared');
  });

  const norm = node('LayerNormalization', ['x', 'gamma'], ['n']);
  const product = node('MatMul', ['n', 'w'], ['y']);
  const cases: readonly (readonly [string, readonly NodeProto[], readonly string[]])[] = [
    ['a second reader of another kind', [norm, product, node('Neg', ['n'], ['z'])], ['y', 'z']],
    ['a tensor that the caller reads', [norm, product], ['y', 'n']],
    ['an input of the model', [node('MatMul', ['x', 'w'], ['y'])], ['y']],
    ['a sigmoid', [norm, node('Sigmoid', ['n'], ['s']), node('MatMul', ['s', 'w'], ['y'])], ['y']],
    ['a weight that is computed', [norm, node('Transpose', ['x'], ['xt']), node('MatMul', ['n', 'xt'], ['y'])], ['y']],
    ['one number for all channels', [node('Mul', ['x', 'half'], ['s']), node('MatMul', ['s', 'w'], ['y'])], ['y']],
    ['a residual', [norm, node('Add', ['n', 'x'], ['s']), node('MatMul', ['s', 'w'], ['y'])], ['y']],
  ];
  for (const [name, nodes, outputs] of cases) {
    test(`stops at ${name}`, () => {
      const constants = { gamma: values([4]), w: values([4, 3]), half: f32([], [0.5]) };
      assert.deepEqual(
        smoothableTensors(buildModel({ opset: 17, inputs: { x: [2, 4] }, constants, nodes, outputs })),
        [],
      );
    });
  }
});
