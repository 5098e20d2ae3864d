import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import { StringStringEntryProtoSchema } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { serializeModel, type OnnxModel } from '../onnx/model';
import { optimizeModel } from '../runtime/inspect';
import type { Tensor } from '../tensor';
import { classify, findKernels } from '../verify/kernels';
import { MODES, type Mode } from '../../shared/recipe';
import { convertWith, layerOf, measure, outputsAt, planOf, quantize, type Settings } from './fixtures/quantized';
import { buildRandom, graphSpecs, INPUT, matrixSpecs, type GraphSpec } from './fixtures/randomGraphs';

describe('where a model comes from', () => {
  const next = random(1);
  const model = (): OnnxModel => {
    const made = buildModel({
      opset: 13,
      inputs: { x: [2, 6] },
      constants: { w: randomTensor('float32', [6, 3], next) },
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      outputs: ['y'],
    });
    made.proto.producerName = 'exporter';
    made.proto.producerVersion = '9.9';
    made.proto.docString = 'theirs';
    for (const [key, value] of [
      ['labels', 'cat,dog'],
      ['quantscope.backend', 'of an earlier run'],
    ] as const) {
      made.proto.metadataProps.push(create(StringStringEntryProtoSchema, { key, value }));
    }
    return made;
  };
  const samples = [{ x: randomTensor('float32', [2, 6], next) }];

  for (const settings of [
    {},
    { format: 'qoperator' },
    { mode: 'dynamic' },
    { mode: 'weight-only', backend: 'qnnpack' },
  ] as const) {
    test(JSON.stringify(settings), async () => {
      const { conversion } = await quantize(model(), samples, settings);
      const { proto } = conversion.model;
      assert.deepEqual([proto.producerName, proto.producerVersion], ['quantscope', '1.2.3']);
      assert.equal(proto.docString, 'theirs');
      const { mode = 'static', format = 'qdq', backend = 'ort-cpu' }: Settings = settings;
      const wanted: Record<string, string> = {
        labels: 'cat,dog',
        'quantscope.backend': backend,
        'quantscope.mode': mode,
        'quantscope.source': 'test.onnx',
        'quantscope.source_producer': 'exporter 9.9',
        ...(mode === 'static' ? { 'quantscope.format': format } : {}),
      };
      assert.deepEqual(Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value])), wanted);
      assert.equal(proto.metadataProps.length, Object.keys(wanted).length, 'each once');
    });
  }

  test('the fp32 model is not changed, and the same input gives the same bytes', async () => {
    for (const mode of ['static', 'dynamic', 'weight-only'] as const) {
      const planned = await planOf(model(), { mode });
      const ranges = await measure(planned, samples);
      const before = Buffer.from(serializeModel(planned.model));
      const made = [await convertWith(planned, ranges), await convertWith(planned, ranges)];
      assert.ok(before.equals(serializeModel(planned.model)), mode);
      const [first, second] = made.map((conversion) => Buffer.from(serializeModel(conversion.model)));
      assert.ok(first!.equals(second!), mode);
    }
  });
});

describe('random networks', () => {
  /** A Relu lost or a scale mixed up costs far more than the rounding of eight bits. */
  const LEAST_SQNR = 15;

  function sqnr(fp32: Tensor, int8: Tensor): number {
    let signal = 0;
    let noise = 0;
    fp32.data.forEach((value, i) => {
      signal += Number(value) ** 2;
      noise += (Number(value) - Number(int8.data[i])) ** 2;
    });
    return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
  }

  /** As ONNX wants it: every tensor is made before it is read. */
  function assertSorted(model: OnnxModel): void {
    const { inputs, nodes, proto } = new Graph(model);
    const made = new Set(['', ...inputs, ...proto.initializer.map(({ name }) => name)]);
    for (const { name, input, output } of nodes) {
      for (const tensor of input) assert.ok(made.has(tensor), `${name} reads ${tensor} too early`);
      for (const tensor of output) made.add(tensor);
    }
  }

  async function check(spec: GraphSpec, settings: Settings, exactKernels: boolean): Promise<void> {
    const next = random(spec.seed + 1);
    const samples = [0, 1].map(() => ({ x: randomTensor('float32', INPUT, next, 2) }));
    const model = buildRandom(spec);
    const { conversion, plan, model: normalized } = await quantize(model, samples, settings);
    const nodes = plan.layers.flatMap((layer) => [layer.node, ...layer.fused].map(({ name }) => name));
    const wanted = new Graph(normalized).nodes.map(({ name }) => name);
    assert.deepEqual(nodes.sort(), wanted.sort(), 'every node is in one layer');
    assertSorted(conversion.model);
    const fp32 = await outputsAt(model, samples[0]!, 'disabled');
    for (const level of ['disabled', 'basic', 'extended', 'all'] as const) {
      const int8 = await outputsAt(conversion.model, samples[0]!, level);
      for (const [name, tensor] of Object.entries(fp32)) {
        const found = sqnr(tensor, int8[name]!);
        assert.ok(found > LEAST_SQNR, `${name} at ${level}: ${found} dB`);
      }
    }
    if (!exactKernels) return;
    const kernels = findKernels(plan, conversion, new Graph(await optimizeModel(conversion.model, 'extended')));
    for (const [name, { status, kernel }] of classify(plan, kernels)) {
      const { op, quantize: wanted, mode } = layerOf(plan, name);
      assert.ok(!wanted || status === 'quantized', `${op} ${name}, planned ${mode}, runs as ${kernel}`);
    }
  }

  const settings: readonly (readonly [Settings, boolean])[] = [
    [{}, true],
    [{ format: 'qoperator' }, true],
    [{ backend: 'fbgemm' }, true],
    [{ backend: 'qnn' }, true],
    [{ activations: { symmetric: true } }, true],
    [{ weights: { type: 'uint8', symmetric: false, granularity: 'per-tensor' } }, true],
    [{ mode: 'dynamic' }, true],
    [{ mode: 'weight-only' }, true],
    // On x86 the runtime has int8 activations only where it can make them uint8, and no 16-bit kernels.
    [{ backend: 'xnnpack' }, false],
    [{ activations: 'uint16' }, false],
  ];
  for (const [recipe, exactKernels] of settings) {
    test(`stay near fp32 at every level: ${JSON.stringify(recipe)}`, async () => {
      await fc.assert(
        fc.asyncProperty(graphSpecs, (spec) => check(spec, recipe, exactKernels)),
        { numRuns: 15 },
      );
    });
  }

  test('stay near fp32 with a mode of its own for every layer, and each runs as planned', async () => {
    const modes = fc.array(fc.constantFrom(...MODES), { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(matrixSpecs, modes, fc.constantFrom(...MODES), async (spec, own, mode) => {
        const { plan } = await planOf(buildRandom(spec));
        // Which static products of more than two axes run in int8 is for the runtime to say.
        const modeOf = (op: string, i: number): Mode =>
          op === 'MatMul' ? (own[i % own.length] === 'weight-only' ? 'weight-only' : 'dynamic') : own[i % own.length]!;
        const layers = plan.layers.map(({ name, op }, i) => ({ select: name, mode: modeOf(op, i) }));
        await check(spec, { mode, layers }, true);
      }),
      { numRuns: 60 },
    );
  });
});
