import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REASONS, type ReasonCode } from '../../shared/reasons';
import { layerOf, planOf, type Settings } from '../convert/fixtures/quantized';
import { buildGraph, buildModel, f32, graphAttribute, i64, node } from '../normalize/fixtures/models';
import { setOpsetVersion, type OnnxModel } from '../onnx/model';
import { between, IMAGE, KERNEL, PADS, ramp, summary } from './fixtures/between';

describe('reasons', () => {
  interface Case {
    readonly model: OnnxModel;
    readonly layer: string;
    readonly settings?: Settings;
  }

  const custom = between([{ ...node('FastGelu', ['a'], ['b']), domain: 'com.microsoft' }]);
  setOpsetVersion(custom, 'com.microsoft', 1);
  const branch = buildGraph({ inputs: {}, nodes: [node('Relu', ['a'], ['r'])], outputs: ['r'] });
  const branching = node('If', ['c'], ['b']);
  branching.attribute.push(graphAttribute('then_branch', branch), graphAttribute('else_branch', branch));
  const runtimeWeight = buildModel({
    opset: 13,
    inputs: { ...IMAGE, w: [4, 4, 3, 3], v: [4] },
    constants: { k: KERNEL },
    nodes: [node('Conv', ['x', 'w'], ['y'], PADS), node('Conv', ['x', 'k', 'v'], ['z'], PADS)],
    outputs: ['y', 'z'],
  });

  const cases: Partial<Record<ReasonCode, Case>> = {
    excluded: {
      model: between([node('Relu', ['a'], ['b'])]),
      layer: 'Conv_of_a',
      settings: { layers: [{ select: 'Conv_of_a', quantize: false }] },
    },
    'op-not-supported': { model: between([node('Tanh', ['a'], ['b'])]), layer: 'Tanh_of_b' },
    'op-keeps-float': { model: between([node('Softmax', ['a'], ['b'], { axis: 1 })]), layer: 'Softmax_of_b' },
    'no-op': {
      model: buildModel({
        opset: 13,
        inputs: IMAGE,
        constants: { w: KERNEL },
        nodes: [node('Conv', ['x', 'w'], ['a'], PADS), node('Dropout', ['a'], ['y'])],
        outputs: ['y'],
      }),
      layer: 'Dropout_of_y',
    },
    'data-movement': {
      model: buildModel({
        opset: 13,
        inputs: IMAGE,
        nodes: [node('MaxPool', ['x'], ['y'], { kernel_shape: [2, 2] })],
        outputs: ['y'],
      }),
      layer: 'MaxPool_of_y',
    },
    'shape-computation': {
      model: between([
        node('NonZero', ['a'], ['s']),
        node('Cast', ['s'], ['f'], { to: 1 }),
        node('ReduceMax', ['f'], ['m']),
        node('Mul', ['a', 'm'], ['b']),
      ]),
      layer: 'NonZero_of_s',
    },
    'not-float': {
      model: buildModel({
        opset: 13,
        inputs: { x: ['int32', [4]] },
        nodes: [node('Add', ['x', 'x'], ['y'])],
        outputs: ['y'],
      }),
      layer: 'Add_of_y',
    },
    'dynamic-weight': { model: runtimeWeight, layer: 'Conv_of_y' },
    'activation-product': {
      model: buildModel({
        opset: 13,
        inputs: { q: [1, 2, 4, 8], k: [1, 2, 8, 4] },
        nodes: [node('MatMul', ['q', 'k'], ['y'])],
        outputs: ['y'],
      }),
      layer: 'MatMul_of_y',
    },
    'dynamic-bias': { model: runtimeWeight, layer: 'Conv_of_z' },
    'in-subgraph': {
      model: buildModel({
        opset: 13,
        inputs: { ...IMAGE, c: ['bool', []] },
        constants: { w: KERNEL },
        nodes: [node('Conv', ['x', 'w'], ['a'], PADS), branching, node('Conv', ['b', 'w'], ['y'], PADS)],
        outputs: ['y'],
      }),
      layer: 'If_of_b',
    },
    'type-unknown': {
      model: between([node('SequenceConstruct', ['a'], ['s']), node('SequenceAt', ['s', 'zero'], ['b'])], {
        zero: i64([], [0]),
      }),
      layer: 'SequenceConstruct_of_s',
    },
    'custom-domain': { model: custom, layer: 'FastGelu_of_b' },
    'batchnorm-unfolded': {
      model: buildModel({
        opset: 13,
        inputs: IMAGE,
        constants: { s: f32([4], [1, 2, 3, 4]), b: f32([4], [0, 0, 0, 0]), v: f32([4], [1, 1, 1, 1]) },
        nodes: [node('BatchNormalization', ['x', 's', 'b', 'b', 'v'], ['y'])],
        outputs: ['y'],
      }),
      layer: 'BatchNormalization_of_y',
    },
    'channels-too-few': {
      model: between([node('Relu', ['a'], ['b'])]),
      layer: 'Conv_of_a',
      settings: { backend: 'tensorrt' },
    },
    'shape-dynamic': {
      model: buildModel({
        opset: 13,
        inputs: { x: [1, 4, 'height', 6] },
        constants: { w: KERNEL },
        nodes: [node('Conv', ['x', 'w'], ['y'], PADS)],
        outputs: ['y'],
      }),
      layer: 'Conv_of_y',
      settings: { backend: 'qnn' },
    },
    'needs-dynamic': {
      model: buildModel({
        opset: 14,
        inputs: { x: [2, 1, 3] },
        constants: { w: ramp(1, 16, 3), r: ramp(1, 16, 4) },
        nodes: [node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: 4 })],
        outputs: ['y'],
      }),
      layer: 'LSTM_of_y',
    },
    'weight-only-at-most': {
      model: buildModel({
        opset: 14,
        inputs: { x: [2, 1, 3] },
        constants: { w: ramp(1, 12, 3), r: ramp(1, 12, 4) },
        nodes: [node('GRU', ['x', 'w', 'r'], ['y'], { hidden_size: 4 })],
        outputs: ['y'],
      }),
      layer: 'GRU_of_y',
      settings: { mode: 'dynamic' },
    },
    'mode-skips-op': {
      model: between([node('Relu', ['a'], ['b'])]),
      layer: 'Conv_of_a',
      settings: { mode: 'dynamic' },
    },
    'float-island': {
      model: buildModel({
        opset: 13,
        inputs: { x: [4], z: [4] },
        nodes: [node('Add', ['x', 'z'], ['y'])],
        outputs: ['y'],
      }),
      layer: 'Add_of_y',
    },
  };

  for (const [reason, { model, layer, settings }] of Object.entries(cases)) {
    test(reason, async () => {
      const { plan } = await planOf(model, settings);
      assert.equal(layerOf(plan, layer).reason, reason);
      assert.equal(layerOf(plan, layer).quantize, false);
    });
  }

  test('these are all that a plan gives; the others come after it', () => {
    const later: ReasonCode[] = [
      'merged',
      'opset-too-old',
      'activations-uncalibrated',
      'runtime-not-fused',
      'runtime-rejected',
    ];
    assert.deepEqual([...Object.keys(cases), ...later].sort(), Object.keys(REASONS).sort());
  });

  test('quantized layers have none', async () => {
    const { plan } = await planOf(between([node('Relu', ['a'], ['b'])]));
    assert.deepEqual(summary(plan), { Conv_of_a: 'int8+Relu', Conv_of_y: 'int8' });
    assert.ok(plan.layers.every((layer) => layer.reason === null));
  });
});

describe('islands', () => {
  test('chains of cheap operators stand or fall together', async () => {
    const chain = [node('MaxPool', ['a'], ['m'], { kernel_shape: [1, 1] }), node('Add', ['m', 'm'], ['n'])];
    const inside = await planOf(between([...chain, node('Mul', ['n', 'two'], ['b'])], { two: f32([], [2]) }));
    assert.ok(inside.plan.layers.every((layer) => layer.quantize));
    const broken = await planOf(between([...chain, node('Tanh', ['n'], ['b'])]));
    assert.deepEqual(summary(broken.plan), {
      Conv_of_a: 'int8',
      MaxPool_of_m: 'data-movement',
      Add_of_n: 'float-island',
      Tanh_of_b: 'op-not-supported',
      Conv_of_y: 'int8',
    });
  });

  test('an Add needs both sides in int8', async () => {
    const { plan } = await planOf(between([node('Add', ['a', 'x'], ['b'])]));
    assert.equal(layerOf(plan, 'Add_of_b').reason, 'float-island');
  });

  test('excluding one layer keeps the others', async () => {
    const model = between([node('Add', ['a', 'a'], ['b'])]);
    const { plan } = await planOf(model, { layers: [{ select: 'op:Add', quantize: false }] });
    assert.deepEqual(summary(plan), { Conv_of_a: 'int8', Add_of_b: 'excluded', Conv_of_y: 'int8' });
  });
});
