import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { attribute } from '../onnx/attributes';
import { graphOf } from '../onnx/model';
import { Graph } from '../onnx/graph';
import { assertSameOutputs, buildModel, f32, node, random, randomTensor, run } from './fixtures/models';
import { feeder, normalized, ops } from './fixtures/normalized';
import { normalizeModel } from './normalize';

const [ROWS, INNER, COLUMNS] = [3, 4, 5];

test('every form of a Gemm with a constant matrix computes the same in the form of int8 kernels', async () => {
  const forms = fc.record({
    alpha: fc.constantFrom(1, 0.5, -2, 0.3, 0),
    beta: fc.constantFrom(1, 2, 0, -0.7),
    transA: fc.constantFrom(0, 1),
    transB: fc.constantFrom(0, 1),
    bias: fc.constantFrom(undefined, [], [1], [COLUMNS], [1, COLUMNS], [ROWS, 1], [ROWS, COLUMNS]),
    isFed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(forms, async ({ alpha, beta, transA, transB, bias, isFed }) => {
      const inputs = {
        x: transA === 1 ? [INNER, ROWS] : [ROWS, INNER],
        ...(bias !== undefined && isFed ? { c: bias } : {}),
      };
      const model = buildModel({
        opset: 13,
        inputs,
        constants: {
          w: randomTensor('float32', transB === 1 ? [COLUMNS, INNER] : [INNER, COLUMNS], random(3)),
          ...(bias === undefined || isFed ? {} : { c: randomTensor('float32', bias, random(4)) }),
        },
        nodes: [
          node('Gemm', ['x', 'w', ...(bias === undefined ? [] : ['c'])], ['y'], {
            ...{ alpha: { f: alpha }, beta: { f: beta } },
            ...{ transA, transB },
          }),
        ],
        outputs: ['y'],
      });
      const { model: after } = await normalizeModel(model, { requiredOpset: 13 });
      assertSameOutputs(await run(after, feeder(5, 4)), await run(model, feeder(5, 4)), 1e-6, 'gemm');
      const gemm = graphOf(after).node.find(({ opType }) => opType === 'Gemm')!;
      assert.equal(attribute(gemm, 'alpha')?.f ?? 1, 1);
      assert.equal(attribute(gemm, 'transA')?.i ?? 0n, 0n);
      const dims = new Graph(after).constant(gemm.input[2] ?? '')?.dims;
      assert.ok((gemm.input[2] ?? '') === '' || dims?.join() === `${COLUMNS}`);
    }),
    { numRuns: 60 },
  );
});

test('α and β that are powers of two fold exactly, and what is plain already stays', async () => {
  const gemm = node('Gemm', ['x', 'w', 'c'], ['y'], { alpha: { f: 0.5 }, beta: { f: 2 }, transB: 1 });
  const constants = { w: f32([2, 2], [0.1, -0.7, 3, 1e-3]), c: f32([2], [0.3, -5]) };
  const { model, steps } = await normalized(
    buildModel({ opset: 13, inputs: { x: [1, 2] }, constants, nodes: [gemm], outputs: ['y'] }),
    { requiredOpset: 13 },
  );
  const graph = new Graph(model);
  const [, weight = '', bias = ''] = graph.nodes[0]!.input;
  assert.deepEqual(
    graph.constant(weight)?.data,
    Float32Array.from(constants.w.data, (v) => v / 2),
  );
  assert.deepEqual(
    graph.constant(bias)?.data,
    Float32Array.from(constants.c.data, (v) => v * 2),
  );
  assert.deepEqual(
    steps.map(({ id }) => id),
    ['plain-gemm'],
  );
  const again = await normalized(model, { requiredOpset: 13 });
  assert.deepEqual(again.steps, []);
});

test('a matrix of two readers keeps its value for the other', async () => {
  const model = buildModel({
    opset: 13,
    inputs: { x: [2, 3] },
    constants: { w: randomTensor('float32', [3, 3], random(1)) },
    nodes: [node('Gemm', ['x', 'w'], ['t'], { alpha: { f: 0.5 } }), node('Gemm', ['t', 'w'], ['y'])],
    outputs: ['y'],
  });
  const { model: after } = await normalized(model, { requiredOpset: 13 });
  assert.deepEqual(ops(after), ['Gemm', 'Gemm']);
  assertSameOutputs(await run(after, feeder(2, 4)), await run(model, feeder(2, 4)), 1e-6, 'shared');
});
