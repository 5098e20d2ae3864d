/** Analysis and verdicts of models as the converter makes them, in every mode and format. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quantize, type Quantized, type Settings } from '../convert/fixtures/quantized';
import { buildGraph, buildModel, graphAttribute, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { makeNode, type OnnxModel } from '../onnx/model';
import { makeTensor, type Tensor } from '../tensor';
import { verify } from '../verify/verify';
import { analyze, type Analysis } from './analyze';
import { isFloat } from './taps';
import { comparedOf, sqnrOf } from '../../shared/measured';

const next = random(9);
const tensor = (...dims: number[]): Tensor => randomTensor('float32', dims, next, 2);
const PADS = { pads: [1, 1, 1, 1] };
const IMAGE = [1, 4, 6, 6];
const SAMPLES = [1, 2, 3].map(() => ({ x: tensor(...IMAGE) }));

/** Conv → Relu → Conv → Tan → Flatten → MatMul + bias → y. */
const NETWORK = buildModel({
  opset: 13,
  inputs: { x: IMAGE },
  constants: { w: tensor(4, 4, 3, 3), v: tensor(8, 4, 3, 3), m: tensor(288, 10), b: tensor(10) },
  nodes: [
    node('Conv', ['x', 'w'], ['c1'], PADS),
    node('Relu', ['c1'], ['r1']),
    node('Conv', ['r1', 'v'], ['c2'], PADS),
    node('Tan', ['c2'], ['t']),
    node('Flatten', ['t'], ['f']),
    node('MatMul', ['f', 'm'], ['mm']),
    node('Add', ['mm', 'b'], ['y']),
  ],
  outputs: ['y'],
});

/** Each product in a mode of its own. */
const MIXED: Settings = {
  layers: [
    { select: 'Conv_of_c2', mode: 'weight-only' },
    { select: 'op:MatMul', mode: 'dynamic' },
  ],
};

async function analyzed(
  model: OnnxModel,
  settings: Settings,
  samples: readonly Readonly<Record<string, Tensor>>[] = SAMPLES,
): Promise<{ quantized: Quantized; analysis: Analysis }> {
  const quantized = await quantize(model, samples, settings);
  const analysis = await analyze({
    fp32: quantized.model,
    conversion: quantized.conversion,
    plan: quantized.plan,
    tensors: quantized.tensors,
    threads: 1,
    samples: {
      count: samples.length,
      async *samples() {
        for (const [i, feeds] of samples.entries()) yield await Promise.resolve({ id: `${i}`, feeds });
      },
    },
  });
  return { quantized, analysis };
}

/** Every float tensor once, either compared or explained. */
function assertAccounted({ quantized, analysis }: Awaited<ReturnType<typeof analyzed>>): void {
  const graph = new Graph(quantized.model);
  const floats = [...graph.inputs, ...graph.nodes.flatMap((n) => n.output)].filter(
    (name) => !graph.isConstant(name) && isFloat(quantized.tensors.get(name)),
  );
  const found = [...analysis.tensors.keys(), ...analysis.unmatched.map((u) => u.tensor)];
  const inside = analysis.unmatched.filter((u) => u.why.startsWith('inside a subgraph')).map((u) => u.tensor);
  assert.deepEqual(found.sort(), [...floats, ...inside].sort());
  assert.equal(analysis.matched, analysis.tensors.size);
}

describe('analyze as converted', () => {
  const settings: Readonly<Record<string, Settings>> = {
    'static QDQ': {},
    'static QOperator': { format: 'qoperator' },
    dynamic: { mode: 'dynamic' },
    'weight-only': { mode: 'weight-only' },
    mixed: MIXED,
    'mixed QOperator': { ...MIXED, format: 'qoperator' },
  };
  for (const [name, of] of Object.entries(settings)) {
    test(`${name}: every quantized layer has a local error, every tensor is accounted for`, async () => {
      const result = await analyzed(NETWORK, of);
      assertAccounted(result);
      const { plan } = result.quantized;
      const quantized = plan.layers.filter((layer) => layer.quantize);
      assert.ok(quantized.length > 0);
      for (const layer of plan.layers) {
        const local = result.analysis.layers.get(layer.name)?.local ?? null;
        assert.equal(local !== null, layer.quantize, layer.name);
        if (local !== null)
          assert.ok((comparedOf(local)!.sqnr ?? Infinity) > 20, `${layer.name}: ${String(comparedOf(local)!.sqnr)} dB`);
      }
      assert.equal(result.analysis.outputs.length, 1);
    });

    test(`${name}: only planned layers and moved integers count as quantized`, async () => {
      const { plan, conversion, model } = await quantize(NETWORK, SAMPLES, of);
      const { verdicts } = await verify({ fp32: model, conversion, plan, threads: 1 });
      for (const layer of plan.layers) {
        const status = verdicts.get(layer.name)?.status;
        if (layer.quantize) assert.equal(status, 'quantized', layer.name);
        else if (layer.kind !== 'move') assert.notEqual(status, 'quantized', layer.name);
      }
    });
  }

  test('the local error of a layer is that of its mode, whatever the modes of the others', async () => {
    const local = async (settings: Settings, layer: string): Promise<unknown> =>
      (await analyzed(NETWORK, settings)).analysis.layers.get(layer)?.local;
    for (const [layer, settings] of [
      ['Conv_of_c1', {}],
      ['Conv_of_c2', { mode: 'weight-only' }],
      ['MatMul_of_mm', { mode: 'dynamic' }],
    ] as const) {
      const alone = await local(settings, layer);
      assert.ok(alone !== null && alone !== undefined, layer);
      assert.deepEqual(await local(MIXED, layer), alone, layer);
    }
  });

  test('recurrent layers have an error of their own, whichever of their outputs are left out', async () => {
    const lstm = (input: string, outputs: readonly string[], n: number) =>
      node('LSTM', [input, `w${n}`, `r${n}`], outputs, { hidden_size: 4 });
    const model = buildModel({
      opset: 14,
      inputs: { x: [5, 1, 6] },
      constants: { w0: tensor(1, 16, 6), r0: tensor(1, 16, 4), w1: tensor(1, 16, 6), r1: tensor(1, 16, 4) },
      nodes: [
        lstm('x', ['', 'h', 'c'], 0),
        lstm('x', ['', '', 'd'], 1),
        node('Concat', ['h', 'c', 'd'], ['y'], { axis: 0 }),
      ],
      outputs: ['y'],
    });
    const samples = [{ x: tensor(5, 1, 6) }];
    const result = await analyzed(model, { mode: 'dynamic' }, samples);
    assertAccounted(result);
    const errors = result.quantized.plan.layers.flatMap(({ op, name }) =>
      op === 'LSTM' ? [result.analysis.layers.get(name)] : [],
    );
    assert.equal(errors.length, 2);
    for (const layer of errors) {
      const local = sqnrOf(layer?.local) ?? 0;
      assert.ok(local > 20 && local < 80);
      // Nothing before it is quantized.
      assert.equal(sqnrOf(layer?.accumulated), local);
    }
  });

  test('QDQ and QOperator are the same computation', async () => {
    const [qdq, qoperator] = await Promise.all([analyzed(NETWORK, {}), analyzed(NETWORK, { format: 'qoperator' })]);
    assert.deepEqual(qoperator.analysis.outputs, qdq.analysis.outputs);
    assert.deepEqual(qoperator.analysis.layers, qdq.analysis.layers);
  });

  test('what a float layer makes is compared before others quantize it', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: IMAGE },
      constants: { w: tensor(4, 4, 3, 3), v: tensor(8, 4, 3, 3) },
      nodes: [node('Conv', ['x', 'w'], ['c'], PADS), node('Conv', ['c', 'v'], ['y'], PADS)],
      outputs: ['y'],
    });
    const { quantized, analysis } = await analyzed(model, { layers: [{ select: 'Conv_of_c', quantize: false }] });
    assert.ok(quantized.conversion.activations.has('c'));
    // Nothing before it is quantized, so it is as good as exact; its integers are the second layer's affair.
    assert.ok((comparedOf(analysis.layers.get('Conv_of_c')?.accumulated)?.sqnr ?? Infinity) > 100);
    assert.ok((comparedOf(analysis.layers.get('Conv_of_y')?.accumulated)?.sqnr ?? Infinity) < 80);
  });

  test('what a removed node hands on is compared where its values went', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: IMAGE },
      constants: { w: tensor(4, 4, 3, 3), u: tensor(4, 4, 3, 3), v: tensor(8, 8, 3, 3) },
      nodes: [
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Conv', ['x', 'u'], ['b'], PADS),
        node('Concat', ['a', 'b'], ['c'], { axis: 1 }),
        node('Dropout', ['c'], ['d']),
        node('Identity', ['d'], ['e']),
        node('Conv', ['e', 'v'], ['y'], PADS),
      ],
      outputs: ['y', 'e'],
    });
    const result = await analyzed(model, {});
    assertAccounted(result);
    const { tensors: compared, unmatched, layers } = result.analysis;
    assert.deepEqual(
      unmatched.map((u) => u.tensor),
      ['x'].filter((name) => !compared.has(name)),
    );
    assert.deepEqual([compared.has('d'), compared.get('c')], [false, compared.get('e')]);
    assert.deepEqual(layers.get('Concat_of_c')?.accumulated, compared.get('e'));
    assert.ok((comparedOf(compared.get('c'))?.sqnr ?? 0) > 20);
  });

  test('the first quantized layer has the same local and accumulated error', async () => {
    const { analysis } = await analyzed(NETWORK, {});
    const { local, accumulated } = analysis.layers.get('Conv_of_c1')!;
    assert.ok(local);
    assert.deepEqual(local, accumulated);
  });

  test('subgraphs are listed, and layers that read their results still measured', async () => {
    const branch = (op: string) =>
      buildGraph({ inputs: {}, nodes: [node(op, ['c1'], [`${op}_inside`])], outputs: [`${op}_inside`] });
    const choose = makeNode({ op: 'If', name: 'choose', inputs: ['flag'], outputs: ['i'] });
    choose.attribute.push(graphAttribute('then_branch', branch('Abs')), graphAttribute('else_branch', branch('Neg')));
    const model = buildModel({
      opset: 13,
      inputs: { x: IMAGE, flag: ['bool', []] },
      constants: { w: tensor(4, 4, 3, 3), v: tensor(8, 4, 3, 3) },
      nodes: [node('Conv', ['x', 'w'], ['c1'], PADS), choose, node('Conv', ['i', 'v'], ['y'], PADS)],
      outputs: ['y'],
    });
    const samples = [0, 1].map((flag) => ({ x: tensor(...IMAGE), flag: makeTensor('bool', [], Uint8Array.of(flag)) }));
    const result = await analyzed(model, {}, samples);
    assertAccounted(result);
    const inside = result.analysis.unmatched.filter((u) => u.why === 'inside a subgraph of If, which stays in float');
    assert.deepEqual(inside.map((u) => u.tensor).sort(), ['Abs_inside', 'Neg_inside']);
    assert.ok(result.analysis.layers.get('Conv_of_y')?.local);
  });
});
