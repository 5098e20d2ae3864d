import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QuantscopeError } from '../../shared/errors';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import type { Tensor } from '../tensor';
import { assertSameOutputs, buildModel, node, random, randomTensor, run, type ModelSpec } from './fixtures/models';
import { normalizeModel } from './normalize';
import { splittableConcats } from './splitConcat';

const next = random(23);
const values = (...dims: readonly number[]): Tensor => randomTensor('float32', dims, next, 2);

const CONSTANTS = { wa: values(2, 3, 1, 1), wb: values(1, 3, 1, 1), w: values(4, 6, 3, 3), bias: values(4) };
const BEFORE = [node('Conv', ['x', 'wa'], ['a']), node('Conv', ['x', 'wb'], ['b'])];

function convs(nodes: readonly NodeProto[], changes: Partial<ModelSpec> = {}): OnnxModel {
  return buildModel({
    ...{ opset: 13, inputs: { x: [1, 3, 5, 5] }, constants: CONSTANTS, outputs: ['y'] },
    nodes: [...BEFORE, ...nodes],
    ...changes,
  });
}

const join = node('Concat', ['a', 'b', 'x'], ['c'], { axis: 1 });
const reader = node('Conv', ['c', 'w', 'bias'], ['y'], { pads: [1, 1, 1, 1] });

async function splittable(model: OnnxModel): Promise<string[]> {
  return splittableConcats(new Graph(model), await inferTensors(model)).map(({ concat }) => concat);
}

describe('a split Concat', () => {
  const product = (op: string, dims: readonly [number, number], attributes = {}): OnnxModel =>
    buildModel({
      ...{ opset: 13, inputs: { x: [2, 3], z: [2, 2] }, outputs: ['y'] },
      constants: { w: values(...dims), bias: values(4) },
      nodes: [
        node('Concat', ['x', 'z'], ['c'], { axis: -1 }),
        node(op, op === 'Gemm' ? ['c', 'w', 'bias'] : ['c', 'w'], ['y'], attributes),
      ],
    });
  const twoReaders = convs([join, reader, node('Conv', ['c', 'w'], ['z'])], { outputs: ['y', 'z'] });
  const cases: readonly (readonly [string, OnnxModel, number])[] = [
    ['before a Conv', convs([join, reader]), 2],
    ['before two layers that share a weight', twoReaders, 4],
    ['before a Gemm', product('Gemm', [5, 4], { alpha: 0.5, beta: { f: 2 } }), 1],
    ['before a Gemm with a transposed weight', product('Gemm', [4, 5], { transB: 1 }), 1],
    ['before a MatMul', product('MatMul', [5, 4]), 1],
  ];
  for (const [name, model, sums] of cases) {
    test(`${name} leaves what the model computes alone`, async () => {
      const split = await normalizeModel(model, { requiredOpset: 13, split: ['Concat_of_c'] });
      const ops = graphOf(split.model).node.map(({ opType }) => opType);
      assert.ok(!ops.includes('Concat'), ops.join());
      assert.equal(ops.filter((op) => op === 'Add').length, sums);
      assert.deepEqual(
        split.steps.map(({ id }) => id),
        name === 'before a Gemm' ? ['plain-gemm', 'split-concat'] : ['split-concat'],
      );
      const feeds = new Map<string, Tensor>();
      const feed = ({ name: input, shape }: { name: string; shape: readonly (number | string)[] }): Tensor => {
        const found = feeds.get(input) ?? values(...shape.map(Number));
        feeds.set(input, found);
        return found;
      };
      assertSameOutputs(await run(split.model, feed), await run(model, feed), 1e-5, name);
      const weights = graphOf(split.model).initializer.map((tensor) => tensor.name);
      assert.ok(!weights.includes('w') && new Set(weights).size === weights.length, weights.join());
    });
  }

  const refused: readonly (readonly [string, OnnxModel])[] = [
    ['with a reader of another kind', convs([join, reader, node('Neg', ['c'], ['z'])], { outputs: ['y', 'z'] })],
    ['that the caller reads', convs([join, reader], { outputs: ['y', 'c'] })],
    [
      'along another axis',
      convs([node('Concat', ['x', 'x'], ['c'], { axis: 2 }), node('Conv', ['c', 'wa'], ['y'], {})]),
    ],
  ];
  for (const [name, model] of refused) {
    test(`is none ${name}`, async () => {
      assert.deepEqual(await splittable(model), []);
      await assert.rejects(
        normalizeModel(model, { requiredOpset: 13, split: ['Concat_of_c'] }),
        (error) => error instanceof QuantscopeError && error.code === 'plan-impossible',
      );
    });
  }

  test('of an unknown name is refused with those that there are', async () => {
    await assert.rejects(normalizeModel(convs([join, reader]), { requiredOpset: 13, split: ['jion'] }), (error) => {
      return error instanceof QuantscopeError && error.hint.includes('"Concat_of_c"');
    });
  });
});
