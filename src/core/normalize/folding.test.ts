import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { create } from '@bufbuild/protobuf';
import { OperatorSetIdProtoSchema } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { cloneModel, graphOf, type OnnxModel } from '../onnx/model';
import { toFloat32 } from '../tensor';
import { assertSameOutputs, buildModel, f32, i64, node, random, randomTensor, run } from './fixtures/models';
import { feeder, normalized, ops } from './fixtures/normalized';
import { normalizeModel } from './normalize';
import { checkSizes } from './shapes';

describe('constants', () => {
  const shapeModel = (first: number | string): OnnxModel =>
    buildModel({
      opset: 13,
      inputs: { x: [first, 3, 4] },
      constants: { zero: i64([], [0]), tail: i64([1], [12]), axes: i64([1], [0]) },
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['rows']),
        node('Unsqueeze', ['rows', 'axes'], ['rows1']),
        node('Concat', ['rows1', 'tail'], ['target'], { axis: 0 }),
        node('Reshape', ['x', 'target'], ['y']),
      ],
      outputs: ['y'],
    });

  test('of a known shape are folded, tensors keep their names', async () => {
    const result = await normalized(shapeModel(2), { requiredOpset: 13 });
    assert.deepEqual(ops(result.model), ['Reshape']);
    const graph = new Graph(result.model);
    assert.deepEqual(graph.constant('target')?.data, BigInt64Array.of(2n, 12n));
    assert.deepEqual(
      graph.proto.initializer.map((t) => t.name),
      ['target'],
    );
    assert.equal(result.steps[0]?.nodes.length, 4);
  });

  test('of a symbolic shape are not, nor with the option off', async () => {
    assert.equal(ops((await normalized(shapeModel('n'), { requiredOpset: 13 })).model).length, 5);
    assert.equal(ops((await normalized(shapeModel(2), { requiredOpset: 13, constants: false })).model).length, 5);
  });

  test('random, quantized and output-making nodes stay', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [2] },
      constants: { q: { type: 'int8', dims: [2], data: Int8Array.of(1, 2) }, s: f32([], [0.5]), c: f32([2], [1, 2]) },
      nodes: [
        node('DequantizeLinear', ['q', 's'], ['w']),
        node('RandomUniformLike', ['c'], ['r']),
        node('Neg', ['c'], ['out']),
        node('Neg', ['c'], ['inner']),
        node('Sum', ['x', 'w', 'r', 'inner'], ['y']),
      ],
      outputs: ['y', 'out'],
    });
    const result = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(ops(result.model), ['DequantizeLinear', 'RandomUniformLike', 'Neg', 'Sum']);
  });

  test('that would grow the model beyond their sources stay', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [1] },
      constants: { big: i64([2], [1024, 1024]), small: i64([2], [4, 4]), one: f32([], [1]) },
      nodes: [
        node('Expand', ['one', 'big'], ['wide']),
        node('Expand', ['one', 'small'], ['narrow']),
        node('ReduceMax', ['wide'], ['top']),
        node('Sum', ['x', 'top', 'narrow'], ['y0']),
        node('Add', ['y0', 'x'], ['y1']),
        node('Mul', ['wide', 'x'], ['z']),
      ],
      outputs: ['y1', 'z'],
    });
    const result = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(ops(result.model), ['Expand', 'Sum', 'Add', 'Mul']);
    assertSameOutputs(await run(result.model, feeder(4, 2)), await run(model, feeder(4, 2)), 0, 'kept');
  });

  test('an operator the runtime lacks does not keep shapes from being folded', async () => {
    const model = shapeModel(2);
    const copy = cloneModel(model);
    graphOf(copy).node.push(node('Constant', [], ['c'], { value_ints: [3, 4] }));
    const unknown = node('Mystery', ['y', 'c'], ['z']);
    unknown.domain = 'mine';
    graphOf(copy).node.push(unknown);
    copy.proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'mine', version: 1n }));
    const result = await normalized(copy, { requiredOpset: 13 });
    assert.deepEqual(ops(result.model), ['Reshape', 'Mystery']);
    assert.deepEqual(new Graph(result.model).constant('c')?.data, BigInt64Array.of(3n, 4n));
  });
  test('a few bytes do not become gigabytes, whatever makes them large', async () => {
    const n = 40_000;
    const large: readonly [string, ReturnType<typeof node>[]][] = [
      ['Expand', [node('Expand', ['row', 'size'], ['z'])]],
      ['by a computed size', [node('Mul', ['size', 'once'], ['s2']), node('Expand', ['row', 's2'], ['z'])]],
      ['Tile', [node('Tile', ['row', 'size'], ['z'])]],
      ['ConstantOfShape', [node('ConstantOfShape', ['size'], ['z'])]],
      ['broadcast', [node('Add', ['row', 'column'], ['z'])]],
      ['product', [node('MatMul', ['column', 'row'], ['z'])]],
      ['doubled', [...Array(14).keys()].map((i) => node('Concat', [`z${i}`, `z${i}`], [`z${i + 1}`], { axis: 0 }))],
      ['many', [...Array(60).keys()].map((i) => node('Expand', ['row', 'some'], [`e${i}`]))],
    ];
    for (const [what, nodes] of large) {
      const last = nodes.at(-1)!.output[0]!;
      const model = buildModel({
        opset: 13,
        inputs: { x: [1, 1] },
        constants: {
          row: f32(
            [1, n],
            Array.from({ length: n }, (_, i) => i),
          ),
          column: f32(
            [n, 1],
            Array.from({ length: n }, (_, i) => i),
          ),
          z0: f32(
            [1, n],
            Array.from({ length: n }, (_, i) => i),
          ),
          size: i64([2], [n, 1]),
          some: i64([2], [60, n]),
          once: i64([2], [1, 1]),
        },
        nodes: [
          ...nodes,
          ...(what === 'many'
            ? nodes.slice(1).map((each) => node('Mul', [each.output[0]!, 'x'], [`m_${each.output[0]!}`]))
            : []),
          node('Mul', [last, 'x'], ['y']),
        ],
        outputs: ['y', ...(what === 'many' ? nodes.slice(1).map((each) => `m_${each.output[0]!}`) : [])],
      });
      const before = process.memoryUsage().rss;
      const { model: after } = await normalizeModel(model, { requiredOpset: 13 });
      assert.ok(process.memoryUsage().rss - before < 1e9, what);
      const bytes = graphOf(after).initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
      assert.ok(bytes < 4e6, `${what}: ${bytes} bytes`);
    }
  });

  test('of fixed inputs are folded through any number of reshapings, and not where values decide', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [2, 3, 4] },
      constants: {
        zero: i64([], [0]),
        two: i64([], [2]),
        rest: i64([1], [-1]),
        axes: i64([1], [0]),
        half: f32([], [0.5]),
      },
      nodes: [
        ...[...Array(12).keys()].flatMap((i) => {
          const x = i === 0 ? 'x' : `x${i}`;
          return [
            node('Shape', [x], [`s${i}`]),
            node('Gather', [`s${i}`, 'zero'], [`g${i}`]),
            node(i % 2 === 0 ? 'Mul' : 'Div', [`g${i}`, 'two'], [`d${i}`]),
            node('Unsqueeze', [`d${i}`, 'axes'], [`u${i}`]),
            node('Concat', [`u${i}`, 'rest'], [`t${i}`], { axis: 0 }),
            node('Reshape', [x, `t${i}`], [`x${i + 1}`]),
          ];
        }),
        node('Greater', ['x12', 'half'], ['mask']),
        node('NonZero', ['mask'], ['found']),
        node('Shape', ['found'], ['counts']),
        node('Cast', ['counts'], ['y'], { to: 1 }),
        node('Neg', ['x12'], ['z']),
      ],
      outputs: ['y', 'z'],
    });
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(ops(after), [...Array<string>(12).fill('Reshape'), 'Greater', 'NonZero', 'Shape', 'Cast', 'Neg']);
    for (const seed of [1, 2])
      assertSameOutputs(await run(after, feeder(seed, 4)), await run(model, feeder(seed, 4)), 0, 'same');
  });

  test('a table that is read as it is and transposed is stored once', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { ids: ['int64', [1, 2]] },
      constants: { table: randomTensor('float32', [50, 32], random(1)) },
      nodes: [
        node('Gather', ['table', 'ids'], ['e']),
        node('Transpose', ['table'], ['turned'], { perm: [1, 0] }),
        node('MatMul', ['e', 'turned'], ['y']),
      ],
      outputs: ['y'],
    });
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    assert.equal(graphOf(after).initializer.filter(({ dims }) => dims.length === 2).length, 1);
  });
});

test('a tensor of gigabytes is refused by name, one of a symbolic size is not', () => {
  const info = (shape: readonly (number | string)[]) =>
    new Map([['z', { name: 'z', type: 'float32' as const, shape }]]);
  assert.throws(
    () => {
      checkSizes(info([46_341, 46_341]));
    },
    { code: 'model-too-large', message: /"z".*46341×46341.*8\.6 GB/ },
  );
  checkSizes(info(['n', 46_341, 1000]));
});

describe('folding into the layer before', () => {
  const affine = (channels: number, seed: number) => {
    const next = random(seed);
    const values = (low: number) =>
      f32(
        [channels],
        Array.from({ length: channels }, () => low + next()),
      );
    return { g: values(-0.5), b: values(-0.5), m: values(-0.5), v: values(0.1) };
  };
  const layers: readonly [string, string, number[], number[], Record<string, number>][] = [
    ['Conv', 'Conv', [1, 4, 5, 5], [6, 4, 3, 3], {}],
    ['depthwise Conv', 'Conv', [1, 4, 5, 5], [4, 1, 3, 3], { group: 4 }],
    ['1-D Conv', 'Conv', [1, 4, 7], [2, 4, 3], {}],
    ['ConvTranspose', 'ConvTranspose', [1, 4, 5, 5], [4, 3, 2, 2], {}],
    ['grouped ConvTranspose', 'ConvTranspose', [1, 4, 5, 5], [4, 3, 2, 2], { group: 2 }],
    ['Gemm', 'Gemm', [2, 4], [4, 3], {}],
    ['transposed Gemm', 'Gemm', [2, 4], [3, 4], { transB: 1 }],
  ];
  for (const [name, op, shape, weights, attributes] of layers) {
    for (const withBias of [false, true]) {
      test(`BatchNormalization after ${name}, ${withBias ? 'with' : 'without'} bias`, async () => {
        const group = attributes['group'] ?? 1;
        const channels =
          op === 'Conv' || attributes['transB'] === 1 ? weights[0]! : op === 'Gemm' ? weights[1]! : weights[1]! * group;
        const layer = node(op, withBias ? ['x', 'w', 'c'] : ['x', 'w'], ['t'], attributes);
        const model = buildModel({
          opset: 13,
          inputs: { x: shape },
          constants: {
            w: randomTensor('float32', weights, random(7)),
            c: randomTensor('float32', [channels], random(8)),
            ...affine(channels, 9),
          },
          nodes: [layer, node('BatchNormalization', ['t', 'g', 'b', 'm', 'v'], ['y'], { epsilon: 0.01 })],
          outputs: ['y'],
        });
        if (!withBias) graphOf(model).initializer.splice(1, 1);
        const result = await normalized(model, { requiredOpset: 13 });
        assert.deepEqual(ops(result.model), [op]);
        assert.equal(graphOf(result.model).node[0]?.name, layer.name);
        assert.equal(graphOf(result.model).initializer.length, 2);
        assertSameOutputs(await run(result.model, feeder(5, 4)), await run(model, feeder(5, 4)), 2e-6, name);
        assert.deepEqual(ops((await normalized(model, { requiredOpset: 13, batchnorm: false })).model), [
          op,
          'BatchNormalization',
        ]);
      });
    }
  }

  test('any chain of per-channel arithmetic, for any constants', async () => {
    const chains = fc.array(
      fc.record({
        op: fc.constantFrom('Mul', 'Add', 'Sub', 'Div'),
        dims: fc.constantFrom([3, 1, 1], [1, 3, 1, 1], [], [1]),
        left: fc.boolean(),
        seed: fc.integer({ min: 0, max: 1000 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(chains, async (chain) => {
        const nodes = [node('Conv', ['x', 'w'], ['t0'])];
        const constants: Record<string, ReturnType<typeof f32>> = { w: f32([3, 2, 1, 1], [1, -2, 3, 0.5, 0.25, -1]) };
        chain.forEach(({ op, dims, left, seed }, i) => {
          const next = random(seed);
          constants[`c${i}`] = f32(
            dims,
            Array.from({ length: Math.max(1, ...dims) }, () => 0.5 + next()),
          );
          const swapped = left && (op === 'Mul' || op === 'Add');
          nodes.push(node(op, swapped ? [`c${i}`, `t${i}`] : [`t${i}`, `c${i}`], [`t${i + 1}`]));
        });
        const output = `t${chain.length}`;
        const model = buildModel({ opset: 13, inputs: { x: [1, 2, 3, 3] }, constants, nodes, outputs: [output] });
        const { model: after, steps } = await normalizeModel(model, { requiredOpset: 13 });
        assert.deepEqual(ops(after), ['Conv']);
        assert.equal(steps[0]?.id, 'fold-arithmetic');
        assertSameOutputs(await run(after, feeder(6, 4)), await run(model, feeder(6, 4)), 1e-5, JSON.stringify(chain));
      }),
      { numRuns: 25 },
    );
  });

  const stays = async (
    what: string,
    nodes: ReturnType<typeof node>[],
    constants: Record<string, ReturnType<typeof f32>>,
    outputs = ['y'],
  ) => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [1, 2, 3, 3] },
      constants: { w: f32([2, 2, 1, 1], [1, 2, 3, 4]), ...constants },
      nodes,
      outputs,
    });
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(
      ops(after),
      nodes.map((n) => n.opType),
      what,
    );
  };
  const conv = node('Conv', ['x', 'w'], ['t']);
  const bn = node('BatchNormalization', ['t', 'g', 'b', 'm', 'v'], ['y']);

  test('nothing is folded where that would change what others see', async () => {
    await stays('the Conv is an output', [conv, bn], affine(2, 1), ['y', 't']);
    await stays('the Conv has a second reader', [conv, bn, node('Relu', ['t'], ['z'])], affine(2, 1), ['y', 'z']);
    await stays('the constant varies over positions', [conv, node('Add', ['t', 'c'], ['y'])], {
      c: f32([3, 1], [1, 2, 3]),
    });
    await stays('the constant has more axes', [conv, node('Add', ['t', 'c'], ['y'])], {
      c: f32([2, 1, 2, 1, 1], [1, 2, 3, 4]),
    });
    await stays('c − x is not x − c', [conv, node('Sub', ['c', 't'], ['y'])], { c: f32([], [1]) });
    await stays('c / x is not x / c', [conv, node('Div', ['c', 't'], ['y'])], { c: f32([], [1]) });
    await stays('division by zero', [conv, node('Div', ['t', 'c'], ['y'])], { c: f32([], [0]) });
    await stays('x + x', [conv, node('Add', ['t', 't'], ['y'])], {});
    await stays('a variance below zero', [conv, bn], { ...affine(2, 1), v: f32([2], [-1, 1]) });
  });

  test('a weight shared by two layers is copied, not changed for both', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: [1, 2, 3, 3] },
      constants: { w: f32([2, 2, 1, 1], [1, 2, 3, 4]), ...affine(2, 1) },
      nodes: [conv, bn, node('Conv', ['y', 'w'], ['z'])],
      outputs: ['z'],
    });
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    const graph = new Graph(after);
    assert.deepEqual(ops(after), ['Conv', 'Conv']);
    assert.deepEqual([...toFloat32(graph.constant('w')!)], [1, 2, 3, 4]);
    assertSameOutputs(await run(after, feeder(2, 4)), await run(model, feeder(2, 4)), 2e-6, 'shared');
  });
});
