import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { Graph } from '../onnx/graph';
import { graphOf, opsetVersion, readModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import { assertSameOutputs, buildModel, f32, node, random, randomTensor, run } from './fixtures/models';
import { feeder, normalized, stepIds } from './fixtures/normalized';
import type { NormalizeOptions } from './normalize';

const MODELS = path.resolve(__dirname, '../../../../shared/data/models');

describe('real models compute the same', { skip: existsSync(MODELS) ? false : `${MODELS} is missing` }, () => {
  const SPANS: Readonly<Record<string, number>> = {
    squeezenet: 200,
    squeezenet_fp16: 200,
    magika_v3_3: 500,
    silero_vad_16k_op15: 1,
  };
  const batchnorms: Readonly<Record<string, number>> = {
    mobilenetv1_025_128: 27,
    resnet8_cifar10: 7,
    ultraface_rfb320: 35,
    portrait_sinet: 38,
  };
  for (const name of [
    'fastestdet',
    'gpt_nano_sort',
    'magika_v3_3',
    'mnist',
    'mobilenetv1_025_128',
    'portrait_sinet',
    'resnet8_cifar10',
    'silero_vad_16k_op15',
    'squeezenet',
    'squeezenet_fp16',
    'super_resolution_core_op18',
    'ultraface_rfb320',
  ]) {
    test(name, async () => {
      const model = await readModel(path.join(MODELS, `${name}.onnx`));
      const span = SPANS[name] ?? 4;
      const expected = await run(model, feeder(1, span));
      for (const requiredOpset of [13, 21]) {
        const only = await normalized(model, { requiredOpset, batchnorm: false, constants: false });
        // AveragePool-19 is another kernel of the runtime, which sums in another order.
        const exact = requiredOpset < 19 ? 1e-6 : 3e-6;
        // float16 models compute in float32 afterwards, so they agree to float16's 11 bits only.
        const half = name.endsWith('fp16');
        const raised = await run(only.model, feeder(1, span));
        assertSameOutputs(raised, expected, half ? 2e-3 : exact, `${name}, opset ${requiredOpset}`);
        const all = await normalized(model, { requiredOpset });
        assert.ok((opsetVersion(all.model) ?? 0) >= requiredOpset);
        // Folded weights are rounded once more: a few units in the last place through dozens of layers.
        const result = await run(all.model, feeder(1, span));
        assertSameOutputs(result, expected, half ? 2e-3 : 3e-5, `${name}, folded`);
        assert.equal(all.steps.find((s) => s.id === 'fold-batchnorm')?.nodes.length, batchnorms[name]);
        assert.deepEqual(all.model.proto.metadataProps, model.proto.metadataProps);
        assert.equal(all.model.proto.producerName, model.proto.producerName);
      }
    });
  }

  test('layers keep their names and the tensors between them', async () => {
    const model = await readModel(path.join(MODELS, 'mobilenetv1_025_128.onnx'));
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    const before = new Graph(model);
    for (const n of graphOf(after).node.filter((c) => c.opType === 'Conv')) {
      const original = before.nodes.find((c) => c.name === n.name);
      assert.equal(original?.opType, 'Conv');
      const bn = before.soleConsumer(original.output[0]!);
      if (bn?.opType === 'BatchNormalization') assert.equal(n.output[0], bn.output[0]);
    }
  });
});

describe('names', () => {
  test('are given by type and position, and made unique', async () => {
    const nodes = [
      node('Relu', ['x'], ['a']),
      node('Relu', ['a'], ['b']),
      node('Relu', ['b'], ['c']),
      node('Neg', ['c'], ['y']),
    ];
    ['', 'same', 'same', 'Relu_0'].forEach((name, i) => (nodes[i]!.name = name));
    const model = buildModel({ opset: 13, inputs: { x: [2] }, nodes, outputs: ['y'] });
    const { model: after, steps } = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(
      graphOf(after).node.map((n) => n.name),
      ['Relu_0_1', 'same', 'same_1', 'Relu_0'],
    );
    assert.deepEqual(
      steps.map((s) => [s.id, s.nodes]),
      [['name-nodes', ['Relu_0_1', 'same_1']]],
    );
  });
});

describe('initializers and IR', () => {
  test('leave the inputs, and the IR version allows it', async () => {
    const model = buildModel({
      opset: 7,
      ir: 3,
      inputs: { x: [2], w: [2] },
      constants: { w: f32([2], [1, 2]) },
      nodes: [node('Mul', ['x', 'w'], ['y'])],
      outputs: ['y'],
    });
    const result = await normalized(model, { requiredOpset: 13, opset: 'keep' });
    assert.deepEqual(stepIds(result), ['initializers-from-inputs', 'raise-ir']);
    assert.deepEqual(
      graphOf(result.model).input.map((v) => v.name),
      ['x'],
    );
    assert.equal(result.model.proto.irVersion, 8n);
    assert.equal(opsetVersion(result.model), 7);
  });

  for (const [opset, ir] of [
    [13, 8n],
    [21, 10n],
    [19, 9n],
  ] as const) {
    test(`opset ${opset} needs no more than IR ${ir}, and IR is never lowered`, async () => {
      const spec = { opset: 9, inputs: { x: [2] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] };
      const low = await normalized(buildModel({ ...spec, ir: 3 }), { requiredOpset: 7, opset });
      assert.equal(low.model.proto.irVersion, ir);
      const high = await normalized(buildModel({ ...spec, ir: 11 }), { requiredOpset: 7, opset });
      assert.equal(high.model.proto.irVersion, 11n);
    });
  }
});

describe('float16', () => {
  const spec = {
    opset: 13,
    inputs: { x: ['float16', [1, 4]] as const, k: [1, 4] },
    constants: { w: randomTensor('float16', [4, 4], random(2)) },
    nodes: [
      node('MatMul', ['x', 'w'], ['m']),
      node('Cast', ['m'], ['wide'], { to: 1 }),
      node('Add', ['wide', 'k'], ['sum']),
      node('Cast', ['sum'], ['narrow'], { to: 10 }),
      node('Add', ['narrow', 'x'], ['y']),
    ],
    outputs: ['y', 'wide'],
  };

  test('becomes float32 inside and stays at the boundary', async () => {
    const model = buildModel(spec);
    graphOf(model).output.splice(0, 1, { ...graphOf(model).input[0]!, name: 'y' });
    const result = await normalized(model, { requiredOpset: 13 });
    assert.deepEqual(stepIds(result), ['half-to-float']);
    const infos = await inferTensors(result.model);
    for (const [name, info] of infos)
      assert.equal(info.type, name === 'x' || name === 'y' ? 'float16' : 'float32', name);
    assertSameOutputs(await run(result.model, feeder(3, 2)), await run(model, feeder(3, 2)), 2e-3, 'float16');
  });

  test('keeps a weight that is an output under its name', async () => {
    const model = buildModel({ ...spec, outputs: ['wide'] });
    graphOf(model).output.push({ ...graphOf(model).input[0]!, name: 'w' });
    const expected = await run(model, feeder(3, 2));
    const { model: after } = await normalized(model, { requiredOpset: 13 });
    assertSameOutputs(await run(after, feeder(3, 2)), expected, 2e-3, 'weight');
  });
});

test('opset: auto raises only where it must, a number always, keep never', async () => {
  const model = buildModel({
    opset: 11,
    ir: 8,
    inputs: { x: [2] },
    nodes: [node('Relu', ['x'], ['y'])],
    outputs: ['y'],
  });
  const at = async (options: NormalizeOptions): Promise<number | undefined> =>
    opsetVersion((await normalized(model, options)).model);
  assert.equal(await at({ requiredOpset: 10 }), 11);
  assert.equal(await at({ requiredOpset: 13 }), 13);
  assert.equal(await at({ requiredOpset: 10, opset: 17 }), 17);
  assert.equal(await at({ requiredOpset: 13, opset: 'keep' }), 11);
  await assert.rejects(at({ requiredOpset: 10, opset: 10 }), { code: 'opset-conversion' });
});
