import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import { pairOf } from '../../../test/fixtures/analyze/qdqPair';
import { QuantscopeError } from '../../shared/errors';
import { comparedOf, type ErrorMeasure, type Measured } from '../../shared/measured';
import { quantize } from '../convert/fixtures/quantized';
import type { Conversion } from '../convert/types';
import type { Sample } from '../data/types';
import { buildModel, i64, node, random } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { readModel, type OnnxModel } from '../onnx/model';
import type { Plan } from '../plan/types';
import { inferTensors, optimizeModel, withOutputs } from '../runtime/inspect';
import type { TensorInfo } from '../runtime/session';
import { makeTensor, type Tensor } from '../tensor';
import { analyze, groupByMemory, type Analysis, type AnalyzeOptions } from './analyze';
import { buildShadow } from './shadow';
import { chooseTaps } from './taps';

const FOLDER = path.join(__dirname, '../../../test/fixtures/analyze');

interface Expected {
  readonly inputs64: readonly (readonly number[])[];
  readonly shape: readonly number[];
  readonly layers: Readonly<Record<string, { local: ErrorMeasure | null; accumulated: ErrorMeasure }>>;
}

const EXPECTED = JSON.parse(readFileSync(path.join(FOLDER, 'sqnr.json'), 'utf8')) as Expected;
const SAMPLES: readonly Sample[] = EXPECTED.inputs64.map((values, i) => ({
  id: `${i}`,
  feeds: {
    x: makeTensor(
      'float32',
      EXPECTED.shape,
      Float32Array.from(values, (v) => v / 64),
    ),
  },
}));

let fp32: OnnxModel;
let plan: Plan;
let conversion: Conversion;
let tensors: Map<string, TensorInfo>;

before(async () => {
  fp32 = await readModel(path.join(FOLDER, 'fp32.onnx'));
  ({ plan, conversion } = pairOf(fp32, await readModel(path.join(FOLDER, 'int8.onnx'))));
  tensors = await inferTensors(fp32);
});

function provider(samples: readonly Sample[]): AnalyzeOptions['samples'] {
  return {
    count: samples.length,
    async *samples() {
      for (const sample of samples) yield await Promise.resolve(sample);
    },
  };
}

function analyzeSmall(more: Partial<AnalyzeOptions> = {}): Promise<Analysis> {
  return analyze({ fp32, conversion, plan, tensors, samples: provider(SAMPLES), threads: 1, ...more });
}

function assertClose(found: Measured | null | undefined, expected: Measured | null, what: string): void {
  const [got, wanted] = [comparedOf(found), comparedOf(expected)];
  if (wanted === null) {
    assert.equal(found, expected, what);
    return;
  }
  assert.ok(got, what);
  assert.ok(Math.abs(got.sqnr! - wanted.sqnr!) < 1e-3, `${what}: ${got.sqnr} dB, not ${wanted.sqnr}`);
  assert.ok(Math.abs(got.cosine - wanted.cosine) < 1e-6, `${what}: cosine ${got.cosine}, not ${wanted.cosine}`);
  assert.equal(got.worst.sample, wanted.worst.sample, what);
  assert.ok(Math.abs(got.worst.sqnr! - wanted.worst.sqnr!) < 1e-3, what);
}

function opCounts(model: OnnxModel): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { opType } of new Graph(model).nodes) counts.set(opType, (counts.get(opType) ?? 0) + 1);
  return counts;
}

describe('analyze', () => {
  test('errors of the fused kernels agree with NumPy and the unfused model', async () => {
    const { layers } = await analyzeSmall();
    assert.deepEqual([...layers.keys()], Object.keys(EXPECTED.layers));
    for (const [name, wanted] of Object.entries(EXPECTED.layers)) {
      assertClose(layers.get(name)?.local, wanted.local, `${name}, local`);
      assertClose(layers.get(name)?.accumulated, wanted.accumulated, `${name}, accumulated`);
    }
  });

  test('every float tensor is compared or has a reason', async () => {
    const { matched, tensors: compared, unmatched, outputs } = await analyzeSmall();
    const floats = ['x', 'c1', 'r1', 'p', 'c2', 'a', 'f', 'g', 'y'];
    assert.equal(matched, compared.size);
    assert.deepEqual([...compared.keys(), ...unmatched.map((u) => u.tensor)].sort(), floats.sort());
    assert.deepEqual(unmatched, [{ tensor: 'c1', why: 'before a fused Relu; compared after it, as "r1"' }]);
    assert.deepEqual(
      outputs.map((o) => o.name),
      ['y'],
    );
    assertClose(outputs[0]?.error, EXPECTED.layers['sigmoid']!.accumulated, 'output');
  });

  test('the order of the samples and the number of passes change nothing', async () => {
    const whole = await analyzeSmall();
    const reversed = await analyzeSmall({ samples: provider([...SAMPLES].reverse()) });
    const progress: number[] = [];
    const passes = await analyzeSmall({ memoryCapBytes: 1, onProgress: ({ done }) => progress.push(done) });
    for (const other of [reversed, passes]) {
      assert.equal(other.matched, whole.matched);
      for (const [name, { local, accumulated }] of whole.layers) {
        assertClose(other.layers.get(name)?.local, local, `${name}, local`);
        assertClose(other.layers.get(name)?.accumulated, accumulated, `${name}, accumulated`);
      }
    }
    assert.ok(progress.length > SAMPLES.length && progress.every((done, i) => done === i + 1));
  });

  test('taps are read off the runtime without changing what it executes', async () => {
    const optimized = await optimizeModel(conversion.model, 'extended');
    const { taps } = chooseTaps(new Graph(fp32), tensors, plan, conversion, new Graph(optimized));
    const tapped = withOutputs(
      conversion.model,
      taps.map((tap) => tap.int8),
    );
    assert.deepEqual(opCounts(await optimizeModel(tapped, 'extended')), opCounts(optimized));
    assert.ok(opCounts(optimized).has('QLinearConv'));
  });

  test('the shadow runs on the kernels of the int8 model', async () => {
    const quantized = plan.layers.filter((layer) => layer.quantize);
    const shadow = buildShadow(new Graph(conversion.model), conversion, tensors, quantized);
    assert.ok(shadow);
    assert.deepEqual([...shadow.taps.keys()], ['conv1', 'pool', 'conv2', 'add', 'flat', 'fc']);
    const counts = opCounts(await optimizeModel(shadow.model, 'extended'));
    for (const [op, count] of [
      ['QLinearConv', 2],
      ['QLinearAdd', 1],
      ['QGemm', 1],
    ] as const) {
      assert.equal(counts.get(op), count, op);
    }
    // What only moves values has nothing to run: its integers are those of its fp32 output.
    for (const op of ['Conv', 'DequantizeLinear', 'MaxPool', 'Reshape']) assert.equal(counts.get(op), undefined, op);
  });

  test('the outputs of both models are handed on once a sample, and nothing else', async () => {
    const seen: string[] = [];
    await analyzeSmall({
      memoryCapBytes: 1,
      onOutputs(sample, floats, integers) {
        seen.push(sample);
        assert.deepEqual([Object.keys(floats), Object.keys(integers)], [['y'], ['y']]);
      },
    });
    assert.deepEqual(
      seen,
      SAMPLES.map((s) => s.id),
    );
  });

  test('saturation is measured where u8 meets s8', async () => {
    const { layers } = await analyzeSmall({ saturationSamples: 2 });
    const rates = Object.fromEntries([...layers].map(([name, { saturation }]) => [name, saturation]));
    for (const name of ['conv1', 'conv2', 'fc']) assert.ok(rates[name]! >= 0 && rates[name]! < 1, name);
    for (const name of ['pool', 'add', 'flat', 'sigmoid']) assert.equal(rates[name], null, name);
    const without = await analyzeSmall();
    assert.equal(without.layers.get('conv1')?.saturation, null);
  });

  test('no sample is an error of the data; a cancelled run stops', async () => {
    await assert.rejects(analyzeSmall({ samples: provider([]) }), { code: 'data-empty' });
    const controller = new AbortController();
    const run = analyzeSmall({
      signal: controller.signal,
      onProgress: () => {
        controller.abort();
      },
    });
    await assert.rejects(run, (error) => error instanceof QuantscopeError && error.code === 'cancelled');
  });
});

test('what is of another size in the int8 model is listed, not compared', async () => {
  const next = random(1);
  const values = (...dims: readonly number[]): Tensor =>
    makeTensor(
      'float32',
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => next() - 0.5),
    );
  const model = buildModel({
    opset: 13,
    inputs: { x: [64, 16] },
    constants: { w: values(16, 64), flat: i64([1], [-1]), zero: makeTensor('float32', [], Float32Array.of(0)) },
    nodes: [
      ...[node('MatMul', ['x', 'w'], ['m']), node('Reshape', ['m', 'flat'], ['f'])],
      ...[node('Greater', ['f', 'zero'], ['g']), node('Compress', ['f', 'g'], ['found'])],
    ],
    outputs: ['m', 'found'],
  });
  const feeds = { x: values(64, 16) };
  const made = await quantize(model, [feeds]);
  const { model: normalized, conversion: converted, plan: planned, tensors: infos } = made;
  const samples = provider([{ id: '0', feeds }]);
  const options = { fp32: normalized, conversion: converted, plan: planned, tensors: infos, samples, threads: 1 };
  const { outputs, unmatched, layers } = await analyze(options);
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ['m'],
  );
  const why = 'of another size in the int8 model: it depends on what the model finds';
  assert.deepEqual(unmatched, [{ tensor: 'found', why }]);
  assert.equal(layers.get('Compress_of_found')!.accumulated, null);
});

describe('groupByMemory', () => {
  test('keeps every tap and layer, in order, under the cap where one unit fits', async () => {
    const optimized = new Graph(await optimizeModel(conversion.model, 'extended'));
    const { taps } = chooseTaps(new Graph(fp32), tensors, plan, conversion, optimized);
    for (const cap of [1, 4000, 20_000, Infinity]) {
      const groups = groupByMemory(plan, taps, tensors, cap);
      assert.deepEqual(
        groups.flatMap((g) => g.layers.map((l) => l.name)),
        plan.layers.filter((l) => l.quantize).map((l) => l.name),
      );
      assert.deepEqual(new Set(groups.flatMap((g) => g.taps)), new Set(taps));
      assert.equal(groups.length === 1, cap === Infinity || cap === 20_000, `${cap}: ${groups.length} groups`);
    }
  });
});
