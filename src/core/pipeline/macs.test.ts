import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildModel, node } from '../normalize/fixtures/models';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { ramp } from '../plan/fixtures/between';
import type { TensorInfo } from '../runtime/session';
import { macsOf } from './macs';

type Shapes = Readonly<Record<string, readonly (number | string)[]>>;

function count(
  operator: NodeProto,
  inputs: Shapes,
  output: readonly (number | string)[],
  weight?: readonly number[],
): number {
  const constants = weight === undefined ? {} : { w: ramp(...weight) };
  const model = buildModel({ opset: 17, inputs, constants, nodes: [operator], outputs: ['y'] });
  const info = (name: string, shape: readonly (number | string)[]): [string, TensorInfo] => [
    name,
    { name, type: 'float32', shape },
  ];
  const tensors = new Map([...Object.entries(inputs).map(([name, shape]) => info(name, shape)), info('y', output)]);
  return macsOf(operator, new Graph(model), tensors);
}

const contrib = (op: string, inputs: readonly string[]): NodeProto => ({
  ...node(op, inputs, ['y'], { num_heads: 2 }),
  domain: 'com.microsoft',
});

test('multiply-adds of every kind of product, by hand', () => {
  const image = { x: ['batch', 4, 6, 6] } as const;
  // Grouped: each of 8 × 6 × 6 outputs of 2 × 3 × 3 products. The batch counts as one.
  assert.equal(count(node('Conv', ['x', 'w'], ['y'], { group: 2 }), image, ['batch', 8, 6, 6], [8, 2, 3, 3]), 288 * 18);
  // Each of 4 × 6 × 6 inputs meets 3 × 2 × 2 weights.
  assert.equal(count(node('ConvTranspose', ['x', 'w'], ['y']), image, [1, 3, 12, 12], [4, 3, 2, 2]), 144 * 12);
  assert.equal(count(node('Gemm', ['x', 'w'], ['y'], { transA: 1 }), { x: [5, 2] }, [2, 7], [5, 7]), 2 * 7 * 5);
  // Two activations: scores of an attention.
  assert.equal(count(node('MatMul', ['q', 'k'], ['y']), { q: [2, 9, 4], k: [2, 4, 9] }, [2, 9, 9]), 2 * 9 * 9 * 4);
  const recurrent = node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: 3 });
  assert.equal(count(recurrent, { x: [7, 2, 5], r: [1, 12, 3] }, [7, 1, 2, 3], [1, 12, 5]), 7 * 2 * (60 + 36));
  const attention = { q: [2, 9, 8], k: [2, 5, 8], v: [2, 5, 8] };
  // 2 samples × 9 queries × 5 keys × 8, once for the scores and once for what they weigh.
  const both = 2 * (2 * 9 * 5 * 8);
  assert.equal(count(node('Attention', ['q', 'k', 'v'], ['y']), attention, [2, 9, 8]), both);
  assert.equal(count(contrib('MultiHeadAttention', ['q', 'k', 'v']), attention, [2, 9, 8]), both);
  const whole = count(contrib('Attention', ['x', 'w']), { x: [2, 9, 8] }, [2, 9, 8], [8, 24]);
  assert.equal(whole, 2 * 9 * 8 * 24 + 2 * (2 * 9 * 9 * 8));
  assert.equal(count(node('Relu', ['x'], ['y']), image, ['batch', 4, 6, 6]), 0);
});

test('an Einsum runs over every index once', () => {
  const einsum = (equation: string, inputs: Shapes): number =>
    count(node('Einsum', Object.keys(inputs), ['y'], { equation }), inputs, [1]);
  assert.equal(einsum('bij, bjk -> bik', { a: [2, 3, 4], b: [2, 4, 5] }), 2 * 3 * 4 * 5);
  assert.equal(einsum('bhid,bhjd->bhij', { a: [1, 2, 9, 8], b: [1, 2, 5, 8] }), 2 * 9 * 5 * 8);
  assert.equal(einsum('...ij,...jk', { a: [6, 7, 3, 4], b: [7, 4, 5] }), 6 * 7 * 3 * 4 * 5);
  assert.equal(einsum('ii->i', { a: [4, 4] }), 0, 'one operand is not multiplied');
});
