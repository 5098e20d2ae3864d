import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { pairOf } from '../../../test/fixtures/analyze/qdqPair';
import { buildModel, f32, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { makeNode, readModel, type OnnxModel } from '../onnx/model';
import type { Plan, PlannedLayer } from '../plan/types';
import { optimizeModel } from '../runtime/inspect';
import { makeTensor, type Tensor } from '../tensor';
import { classify, findKernels, type Verdict } from './kernels';

const FOLDER = path.join(__dirname, '../../../test/fixtures/analyze');

const SCALE = f32([], [1 / 32]);
const ZERO = makeTensor('uint8', [], Uint8Array.of(128));

/** Nodes and constants of x → QuantizeLinear → DequantizeLinear, for each tensor; `T` becomes `T_dq`. */
function pairs(...tensors: string[]) {
  return tensors.flatMap((t) => [
    node('QuantizeLinear', [t, 's', 'z'], [`${t}_q`]),
    node('DequantizeLinear', [`${t}_q`, 's', 'z'], [`${t}_dq`]),
  ]);
}

async function verdictsOf(fp32: OnnxModel, int8: OnnxModel, change: (plan: Plan) => Plan = (plan) => plan) {
  const { plan, conversion } = pairOf(fp32, int8);
  const changed = change(plan);
  const optimized = new Graph(await optimizeModel(int8, 'extended'));
  return classify(changed, findKernels(changed, conversion, optimized));
}

const INPUTS = { x: [1, 4, 6, 6] };
const WEIGHT = randomTensor('float32', [4, 4, 3, 3], random(3), 0.2);

/** x → Conv → `op` → Conv, with the output of `op` quantized too, and its input unless it `reads` the float. */
function between(op: string, reads: 'c' | 'c_dq' = 'c_dq'): { fp32: OnnxModel; int8: OnnxModel } {
  const constants: Record<string, Tensor> = { w: WEIGHT };
  const fp32 = buildModel({
    opset: 13,
    inputs: INPUTS,
    constants,
    nodes: [node('Conv', ['x', 'w'], ['c']), node(op, ['c'], ['e']), node('Conv', ['e', 'w'], ['y'])],
    outputs: ['y'],
  });
  const bytes = Int8Array.from(WEIGHT.data as Float32Array, (v) => Math.round(v * 1000));
  const int8 = buildModel({
    opset: 13,
    inputs: INPUTS,
    constants: {
      w_q: makeTensor('int8', WEIGHT.dims, bytes),
      w_s: f32([], [0.001]),
      w_z: makeTensor('int8', [], Int8Array.of(0)),
      s: SCALE,
      z: ZERO,
    },
    nodes: [
      node('DequantizeLinear', ['w_q', 'w_s', 'w_z'], ['w_dq']),
      ...pairs('x', 'c', 'e'),
      node('Conv', ['x_dq', 'w_dq'], ['c']),
      node(op, [reads], ['e']),
      node('Conv', ['e_dq', 'w_dq'], ['y_raw']),
      node('QuantizeLinear', ['y_raw', 's', 'z'], ['y_q']),
      node('DequantizeLinear', ['y_q', 's', 'z'], ['y']),
    ],
    outputs: ['y'],
  });
  for (const graphNode of new Graph(int8).nodes) if (graphNode.output[0] === 'y_raw') graphNode.name = 'Conv_of_y';
  return { fp32, int8 };
}

describe('classify', () => {
  test('layers that became int8 kernels are quantized, the others are what the plan says', async () => {
    const verdicts = await verdictsOf(
      await readModel(path.join(FOLDER, 'fp32.onnx')),
      await readModel(path.join(FOLDER, 'int8.onnx')),
    );
    const kernels = Object.fromEntries(
      [...verdicts].map(([name, { status, kernel }]) => [name, `${status} ${kernel}`]),
    );
    assert.deepEqual(kernels, {
      conv1: 'quantized QLinearConv',
      pool: 'quantized MaxPool',
      conv2: 'quantized QLinearConv',
      add: 'quantized QLinearAdd',
      flat: 'quantized Flatten',
      fc: 'quantized QGemm',
      sigmoid: 'fallback Sigmoid',
    });
  });

  test('a planned layer that the runtime left in float is a fallback', async () => {
    const { fp32, int8 } = between('Exp');
    const verdicts = await verdictsOf(fp32, int8);
    assert.deepEqual(verdicts.get('Exp_of_e'), { status: 'fallback', reason: 'runtime-not-fused', kernel: 'Exp' });
    assert.deepEqual(verdicts.get('Conv_of_c'), { status: 'quantized', reason: null, kernel: 'QLinearConv' });
    assert.equal(verdicts.get('Conv_of_y')?.kernel, 'QLinearConv');
  });

  test('a node that only hands on is removed, not run by the kernel before it', async () => {
    const { fp32, int8 } = between('Dropout', 'c');
    const removed = (plan: Plan): Plan => ({
      ...plan,
      layers: plan.layers.map((l): PlannedLayer =>
        l.op === 'Dropout' ? { ...l, quantize: false, reason: 'no-op' } : l,
      ),
    });
    const verdict = (await verdictsOf(fp32, int8, removed)).get('Dropout_of_e');
    assert.deepEqual(verdict, { status: 'float', reason: 'no-op', kernel: null } satisfies Verdict);
  });

  test('the same model kept in float by the plan keeps the reason of the plan', async () => {
    const { fp32, int8 } = between('Exp');
    const excluded = (plan: Plan): Plan => ({
      ...plan,
      layers: plan.layers.map((l): PlannedLayer =>
        l.op === 'Exp' ? { ...l, quantize: false, reason: 'excluded' } : l,
      ),
    });
    const verdict = (await verdictsOf(fp32, int8, excluded)).get('Exp_of_e');
    assert.deepEqual(verdict, { status: 'float', reason: 'excluded', kernel: 'Exp' } satisfies Verdict);
  });

  test('the fp32 model is float everywhere, whatever the plan hoped', async () => {
    const { fp32, int8 } = between('Exp');
    const { plan, conversion } = pairOf(fp32, int8);
    const optimized = new Graph(await optimizeModel(fp32, 'extended'));
    for (const [name, { status }] of classify(plan, findKernels(plan, conversion, optimized))) {
      assert.equal(status, 'fallback', name);
    }
  });

  test('int8 weights alone count as quantized, though the kernel is float', async () => {
    const { fp32, int8 } = between('Exp');
    const { plan, conversion } = pairOf(fp32, int8);
    const optimized = new Graph(await optimizeModel(fp32, 'extended'));
    const layers = plan.layers.map((layer) => ({ ...layer, mode: 'weight-only' as const }));
    const weightOnly: Plan = { ...plan, mode: 'weight-only', layers };
    const verdict = classify(weightOnly, findKernels(weightOnly, conversion, optimized)).get('Conv_of_c');
    assert.deepEqual(verdict, { status: 'quantized', reason: null, kernel: 'Conv' });
  });

  test('a Relu that the quantizer makes needless has no kernel of its own', async () => {
    const constants = { s: SCALE, z: makeTensor('uint8', [], Uint8Array.of(0)) };
    const fp32 = buildModel({ opset: 13, inputs: INPUTS, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] });
    const int8 = buildModel({
      opset: 13,
      inputs: INPUTS,
      constants,
      nodes: [
        ...pairs('x'),
        node('Relu', ['x_dq'], ['raw']),
        node('QuantizeLinear', ['raw', 's', 'z'], ['y_q']),
        node('DequantizeLinear', ['y_q', 's', 'z'], ['y']),
      ],
      outputs: ['y'],
    });
    const verdicts = await verdictsOf(fp32, int8);
    assert.deepEqual(verdicts.get('Relu_of_y'), { status: 'quantized', reason: null, kernel: null });
  });

  describe('on graphs made by hand', () => {
    /** Verdicts for MatMul (planned), Add and Softmax (not), against a graph of the runtime. */
    function verdictsAgainst(nodes: readonly ReturnType<typeof makeNode>[]): Record<string, string> {
      const fp32 = buildModel({
        opset: 13,
        inputs: { x: [1, 4], m: [4, 4], b: [4] },
        nodes: [node('MatMul', ['x', 'm'], ['c']), node('Add', ['c', 'b'], ['a']), node('Softmax', ['a'], ['y'])],
        outputs: ['y'],
      });
      const { plan, conversion } = pairOf(fp32, fp32);
      const planned: Plan = {
        ...plan,
        layers: plan.layers.map((l) => ({
          ...l,
          quantize: l.op === 'MatMul',
          reason: l.op === 'MatMul' ? null : 'excluded',
        })),
      };
      const optimized = new Graph(
        buildModel({
          opset: 13,
          inputs: { x: [1, 4], b: [4] },
          constants: { q: makeTensor('int8', [4, 4], new Int8Array(16)) },
          nodes,
          outputs: ['y'],
        }),
      );
      const verdicts = classify(planned, findKernels(planned, conversion, optimized));
      return Object.fromEntries([...verdicts].map(([name, { status, kernel }]) => [name, `${status} ${kernel}`]));
    }
    const kernel = (op: string, name: string, inputs: string[], outputs: string[], domain = 'com.microsoft') =>
      makeNode({ op, name, inputs, outputs, domain });
    const softmax = node('Softmax', ['a'], ['y']);

    test('a float layer inside the int8 kernel of its neighbour stays float', () => {
      const fused = kernel('DynamicQuantizeMatMul', 'MatMul_of_c', ['x', 'q', 'b'], ['a']);
      assert.deepEqual(verdictsAgainst([fused, softmax]), {
        MatMul_of_c: 'quantized DynamicQuantizeMatMul',
        Add_of_a: 'float DynamicQuantizeMatMul',
        Softmax_of_y: 'float Softmax',
      });
    });

    test('a float kernel that reads int8 weights is float, and so is what follows', () => {
      const fused = kernel('MatMulNBits', 'MatMul_of_c', ['x', 'q', 'b'], ['a']);
      assert.deepEqual(verdictsAgainst([fused, softmax]), {
        MatMul_of_c: 'fallback MatMulNBits',
        Add_of_a: 'float MatMulNBits',
        Softmax_of_y: 'float Softmax',
      });
    });

    test('what a fusion renamed is found', () => {
      const fused = kernel('FusedMatMul', 'MatMul_of_c/MatMulScaleFusion/', ['x', 'x'], ['a']);
      assert.equal(verdictsAgainst([fused, softmax])['MatMul_of_c'], 'fallback FusedMatMul');
      const gemm = kernel('FusedGemm', 'fused MatMul_of_c', ['x', 'x'], ['a']);
      assert.equal(verdictsAgainst([gemm, softmax])['MatMul_of_c'], 'fallback FusedGemm');
    });

    test('a data movement that the runtime moved to the integers is quantized, planned or not', () => {
      const int8 = kernel('QuantizeLinear', 'Q', ['x', 'b'], ['xq'], '');
      assert.equal(
        verdictsAgainst([int8, kernel('Transpose', 'Softmax_of_y', ['xq'], ['y'], '')])['Softmax_of_y'],
        'quantized Transpose',
      );
    });
  });
});

test('what the runtime makes part of one kernel is no fallback of its own', async () => {
  const model = buildModel({
    opset: 13,
    inputs: INPUTS,
    constants: { w: WEIGHT, root: f32([], [Math.SQRT2]), one: f32([], [1]), half: f32([], [0.5]) },
    nodes: [
      node('Conv', ['x', 'w'], ['c']),
      node('Relu', ['c'], ['r']),
      node('Div', ['r', 'root'], ['d']),
      node('Erf', ['d'], ['e']),
      node('Add', ['e', 'one'], ['p']),
      node('Mul', ['r', 'p'], ['q']),
      node('Mul', ['q', 'half'], ['g']),
      node('Tanh', ['g'], ['y']),
    ],
    outputs: ['y'],
  });
  const verdicts = await verdictsOf(model, model, (plan) => ({
    ...plan,
    layers: plan.layers.map((layer) => ({ ...layer, quantize: false, reason: 'op-not-supported' as const })),
  }));
  const kernels = [...verdicts].map(([name, { status, reason, kernel }]) => [name, status, reason, kernel]);
  const fallback = (name: string, kernel: string): unknown[] => [name, 'fallback', 'op-not-supported', kernel];
  const merged = (name: string): unknown[] => [name, 'float', 'merged', null];
  assert.deepEqual(kernels, [
    fallback('Conv_of_c', 'FusedConv'),
    merged('Relu_of_r'),
    merged('Div_of_d'),
    merged('Erf_of_e'),
    merged('Add_of_p'),
    merged('Mul_of_q'),
    fallback('Mul_of_g', 'Gelu'),
    fallback('Tanh_of_y', 'Tanh'),
  ]);
});
