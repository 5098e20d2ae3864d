import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { feeder } from '../normalize/fixtures/normalized';
import { buildModel, f32, node, random, randomTensor } from '../normalize/fixtures/models';
import { StringStringEntryProtoSchema } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { graphOf, readModel, type OnnxModel } from '../onnx/model';
import { openSession, type Feeds } from '../runtime/session';
import { classify, findKernels } from '../verify/kernels';
import { optimizeModel } from '../runtime/inspect';
import { layerOf, opsOf, outputsAt, quantize, type Quantized } from './fixtures/quantized';

const MODELS = path.resolve(__dirname, '../../../../shared/data/models');

/** Both formats, which compute the same to the last bit. */
async function bothFormats(
  model: OnnxModel,
  samples: readonly Feeds[],
): Promise<Record<'qdq' | 'qoperator', Quantized>> {
  const qdq = await quantize(model, samples);
  const qoperator = await quantize(model, samples, { format: 'qoperator' });
  for (const feeds of samples) {
    const wanted = await outputsAt(qdq.conversion.model, feeds, 'all');
    for (const level of ['disabled', 'all'] as const) {
      assert.deepEqual(await outputsAt(qoperator.conversion.model, feeds, level), wanted, level);
    }
  }
  const graph = new Graph(qoperator.conversion.model);
  for (const { integer } of qoperator.conversion.activations.values()) {
    assert.ok(graph.producer(integer) !== undefined, `${integer} is made`);
  }
  const optimized = new Graph(await optimizeModel(qoperator.conversion.model, 'extended'));
  for (const [name, { status, kernel }] of classify(qdq.plan, findKernels(qdq.plan, qoperator.conversion, optimized))) {
    assert.ok(!layerOf(qdq.plan, name).quantize || status === 'quantized', `${name} runs as ${kernel}`);
  }
  const domains = new Set(graph.nodes.map(({ domain }) => domain));
  const imported = qoperator.conversion.model.proto.opsetImport.map(({ domain }) => domain);
  assert.deepEqual([...imported].sort(), [...new Set(['', ...domains])].sort(), 'imports what it uses');
  for (const domain of domains) assert.ok(['', 'com.microsoft'].includes(domain), `${domain} is bound to a CPU`);
  return { qdq, qoperator };
}

describe('QOperator', () => {
  test('keeps names, inputs, outputs and metadata', async () => {
    const next = random(3);
    const model = buildModel({
      opset: 13,
      inputs: { x: ['batch', 4, 6, 6] },
      constants: {
        w: randomTensor('float32', [4, 4, 3, 3], next, 1),
        b: f32([4], [0, 0.1, 0.2, 0.3]),
        fc: randomTensor('float32', [4, 3], next),
      },
      nodes: [
        node('Conv', ['x', 'w', 'b'], ['a'], { pads: [1, 1, 1, 1] }),
        node('Relu', ['a'], ['r']),
        node('Conv', ['r', 'w'], ['c'], { pads: [1, 1, 1, 1] }),
        node('Add', ['c', 'r'], ['s']),
        node('GlobalAveragePool', ['s'], ['p']),
        node('Flatten', ['p'], ['f']),
        node('Gemm', ['f', 'fc'], ['y']),
      ],
      outputs: ['y'],
    });
    model.proto.metadataProps.push(create(StringStringEntryProtoSchema, { key: 'classes', value: 'a,b,c' }));
    model.proto.docString = 'a small network';
    graphOf(model).name = 'small';
    const samples = [1, 2].map((batch) => ({ x: randomTensor('float32', [batch, 4, 6, 6], next) }));
    const { qdq, qoperator } = await bothFormats(model, samples);
    const made = qoperator.conversion.model;
    assert.deepEqual(opsOf(made), [
      'QuantizeLinear',
      'QLinearConv',
      'QLinearConv',
      'QLinearAdd',
      'QLinearGlobalAveragePool',
      'Flatten',
      'QGemm',
    ]);
    const names = new Set(graphOf(made).node.map(({ name }) => name));
    for (const { name } of qdq.plan.layers) assert.ok(names.has(name), name);
    assert.deepEqual([...qoperator.conversion.activations.keys()], [...qdq.conversion.activations.keys()]);
    assert.deepEqual([...qoperator.conversion.weights], [...qdq.conversion.weights]);
    assert.equal(made.proto.docString, 'a small network');
    assert.equal(graphOf(made).name, 'small');
    assert.ok(made.proto.metadataProps.some(({ key, value }) => key === 'classes' && value === 'a,b,c'));
    const session = await openSession(made);
    assert.deepEqual(
      session.inputs.map(({ name, shape }) => [name, shape]),
      [['x', ['batch', 4, 6, 6]]],
    );
    await session.close();
  });

  describe('real models', { skip: existsSync(MODELS) ? false : `${MODELS} is missing` }, () => {
    const spans: Record<string, number> = { mobilenetv1_025_128: 2, resnet8_cifar10: 255, squeezenet: 200, mnist: 255 };
    for (const [name, span] of Object.entries(spans)) {
      test(name, async () => {
        const model = await readModel(path.join(MODELS, `${name}.onnx`));
        const constants = new Set(graphOf(model).initializer.map((tensor) => tensor.name));
        const session = await openSession(model, { level: 'disabled' });
        const inputs = session.inputs.filter((input) => !constants.has(input.name));
        await session.close();
        const feed = feeder(1, span);
        const feeds = Object.fromEntries(inputs.map((input) => [input.name, feed(input)]));
        const { qoperator } = await bothFormats(model, [feeds]);
        const floats = graphOf(qoperator.conversion.model).node.filter(
          ({ opType }) => opType === 'Conv' || opType === 'Gemm',
        );
        assert.deepEqual(floats, [], 'every Conv and Gemm is quantized');
      });
    }
  });
});
