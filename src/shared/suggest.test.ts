import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FixKind } from './fixes';
import { OBSERVERS } from './recipe';
import type { ReasonCode } from './reasons';
import type { ErrorMeasure } from './measured';
import type { LayerReport, RangeChoice, Report, TensorReport } from './report';
import { suggestFixes, suggestRecipeFixes } from './suggest';

const measure = (sqnr: number | null): ErrorMeasure => ({ sqnr, cosine: 1, worst: { sample: 's', sqnr } });

const MIN_MAX: RangeChoice = { observer: 'min-max', percentile: 99.999, qmin: 0, qmax: 255, symmetric: false };

function tensor(name: string, role: TensorReport['role'], settings: Partial<TensorReport> = {}): TensorReport {
  const quantization = { type: 'uint8', scale: [1], zeroPoint: [0], axis: null };
  const observed = { min: -1, max: 3 };
  return { name, role, shape: [1, 8], observed, range: observed, quantization, chosenBy: MIN_MAX, ...settings };
}

const weight = (axis: number | null): TensorReport => ({
  ...tensor('w', 'weight', { shape: [8, 4, 3, 3] }),
  quantization: { type: 'int8', scale: [1], zeroPoint: [0], axis },
});

function layer(name: string, settings: Partial<LayerReport> = {}): LayerReport {
  return {
    name,
    op: 'Conv',
    fused: [],
    nodes: [name],
    scope: name.split('/').slice(0, -1).join('/'),
    status: 'quantized',
    reason: null,
    kernel: 'QLinearConv',
    time: { int8: 1, fp32: 2 },
    macs: 10,
    local: measure(15.42),
    accumulated: measure(12),
    saturation: null,
    tensors: [tensor(`${name}.in`, 'input'), weight(0), tensor(`${name}.out`, 'output')],
    ...settings,
  };
}

function report(layers: readonly LayerReport[], settings: Partial<Report> = {}): Report {
  const part: Partial<Report> = {
    recipe: { model: 'm.onnx', calibration: { data: 'd' } },
    backend: 'ort-cpu',
    target: { perTensorOps: [], activations16: 'float', levels: 256 },
    mode: 'static',
    format: 'qdq',
    calibration: { data: 'd', synthetic: false, samples: 1, observer: 'min-max', skipped: [], cached: false },
    layers,
    ...settings,
  };
  return part as Report;
}

const others = Array.from({ length: 9 }, (_, i) => layer(`other${i}`, { op: `Op${i}`, local: measure(40) }));
const kinds = (of: Report, name = 'a'): FixKind[] => suggestFixes(of, name).map(({ kind }) => kind);

describe('fixes of a quantized layer', () => {
  test('keep it in float first, with the price', () => {
    const [first, ...rest] = suggestFixes(report([layer('a'), ...others]), 'a');
    assert.deepEqual(first, {
      kind: 'exclude-layer',
      title: 'Keep "a" in float',
      detail: '10 % of the multiply-adds would run in float.',
      change: { kind: 'override', override: { select: 'a', quantize: false, because: '15.4 dB' } },
      preferred: true,
    });
    assert.deepEqual(
      rest.map(({ kind, preferred }) => [kind, preferred]),
      [
        ['layer-observer', false],
        ['activations-16', false],
      ],
    );
  });

  test('a dear layer is first given a better range', () => {
    assert.deepEqual(kinds(report([layer('a', { macs: 1000 }), ...others])).slice(0, 2), [
      'layer-observer',
      'exclude-layer',
    ]);
  });

  test('weights per tensor get a scale for each channel, unless the target or the recipe is against it', () => {
    const layers = [layer('a', { tensors: [weight(null)] }), ...others];
    const [first] = suggestFixes(report(layers), 'a');
    assert.deepEqual(first?.change, {
      kind: 'override',
      override: { select: 'a', weights: { granularity: 'per-channel' } },
    });
    const target = { perTensorOps: ['Conv'], activations16: 'none', levels: 256 } as const;
    assert.ok(!kinds(report(layers, { target })).includes('per-channel'));
    const recipe = { model: 'm', weights: { granularity: 'per-channel' } } as const;
    assert.ok(!kinds(report(layers, { recipe })).includes('per-channel'));
  });

  test('a kernel that saturates gets 7-bit weights', () => {
    const [first] = suggestFixes(report([layer('a', { saturation: 0.042 }), ...others]), 'a');
    assert.equal(first?.kind, 'reduce-range');
    assert.ok(first.detail.startsWith('4.2 % of the sums overflow'), first.detail);
  });

  test('16 bits come first where the target computes with them, last where it does not, never where it cannot', () => {
    const at = (activations16: 'kernel' | 'float' | 'none', settings: Partial<Report> = {}): number =>
      kinds(
        report([layer('a'), ...others], { target: { perTensorOps: [], activations16, levels: 256 }, ...settings }),
      ).indexOf('activations-16');
    assert.deepEqual([at('kernel'), at('float'), at('none')], [0, 2, -1]);
    assert.deepEqual([at('kernel', { format: 'qoperator' }), at('kernel', { mode: 'dynamic' })], [-1, -1]);
    const wide = { type: 'uint16', scale: [1], zeroPoint: [0], axis: null };
    const is16 = layer('a', { tensors: [tensor('x', 'input', { quantization: wide })] });
    assert.ok(!kinds(report([is16, ...others])).includes('activations-16'));
  });

  test('another observer than the one in use, by what it did', () => {
    for (const observer of OBSERVERS) {
      for (const range of [{ min: -1, max: 1 }, null]) {
        const out = tensor('out', 'output', { chosenBy: { ...MIN_MAX, observer }, ...(range && { range }) });
        const found = suggestFixes(report([layer('a', { tensors: [out] }), ...others]), 'a');
        const fix = found.find(({ kind }) => kind === 'layer-observer');
        const to = fix?.change.kind === 'override' ? fix.change.override.observer : undefined;
        assert.equal(to, observer !== 'mse' ? 'mse' : range === null ? undefined : 'min-max');
        if (range !== null) assert.match(fix?.detail ?? '', /keeps 50 % of the span/);
      }
    }
  });

  test('the range of an input is the matter of the layer that writes it', () => {
    const reader = layer('a', { tensors: [tensor('x', 'input')] });
    const writer = layer('writer', { tensors: [tensor('x', 'output')] });
    const fix = suggestFixes(report([writer, reader, ...others]), 'a').find(({ kind }) => kind === 'layer-observer');
    assert.deepEqual(fix?.change, { kind: 'override', override: { select: 'writer', observer: 'mse' } });
    // Nobody writes the input of the model, and a range known beforehand is nobody's choice.
    assert.ok(!kinds(report([reader, ...others])).includes('layer-observer'));
    const fixed = tensor('x', 'output', { chosenBy: { ...MIN_MAX, observer: null } });
    assert.ok(!kinds(report([layer('a', { tensors: [fixed] }), ...others])).includes('layer-observer'));
  });

  test('where others of the operator or scope are as bad, all of them', () => {
    const bad = [layer('/s/a', { scope: 's' }), layer('/s/t/b', { scope: 's/t', local: measure(17) })];
    const found = suggestFixes(report([...bad, ...others]), '/s/a');
    const groups = found.filter(({ kind }) => kind === 'exclude-scope' || kind === 'exclude-op');
    assert.deepEqual(
      groups.map(({ change }) => (change.kind === 'override' ? change.override.select : '')),
      ['scope:s', 'op:Conv'],
    );
    assert.equal(
      groups[0]?.detail,
      '2 of its 2 int8 layers are as bad or worse. 18.2 % of the multiply-adds would run in float.',
    );
    // Not where that would be most of the model.
    assert.ok(!kinds(report([...bad, layer('c', { op: 'X' })]), '/s/a').includes('exclude-op'));
    // Nor where the others are fine.
    const fine = [bad[0]!, layer('/s/t/b', { scope: 's/t', local: measure(19) }), ...others];
    assert.ok(!kinds(report(fine), '/s/a').some((kind) => kind === 'exclude-scope' || kind === 'exclude-op'));
  });

  test('half of the integers is worth another backend', () => {
    const target = { perTensorOps: [], activations16: 'float', levels: 128 } as const;
    const environment = { saturates: true } as Report['environment'];
    assert.ok(kinds(report([layer('a'), ...others], { backend: 'fbgemm', target, environment })).includes('backend'));
  });

  test('nothing where nothing was measured, or there is no such layer', () => {
    assert.deepEqual(kinds(report([layer('a', { local: null })])), []);
    assert.deepEqual(kinds(report([layer('a')]), 'b'), []);
  });
});

describe('fixes of a layer that is not in int8', () => {
  const left = (reason: ReasonCode, settings: Partial<LayerReport> = {}): LayerReport =>
    layer('a', { status: 'fallback', reason, ...settings });

  test('an excluded layer is quantized again by taking its entry away', () => {
    const recipe = { model: 'm', layers: [{ select: 'a', quantize: false, because: 'it was slow' }] };
    const [fix] = suggestFixes(report([left('excluded', { status: 'float' }), ...others], { recipe }), 'a');
    assert.equal(fix?.kind, 'include-layer');
    assert.deepEqual(fix.change, { kind: 'remove-override', select: 'a' });
    assert.equal(
      fix.detail,
      'The recipe keeps it in float because of this: it was slow. 10 % of the multiply-adds would run in int8 again.',
    );
  });

  test('by a stronger entry where others exclude it too, or where its own says more', () => {
    const included = { kind: 'override', override: { select: '/s/a', quantize: true } };
    const excluded = layer('/s/a', { scope: 's', status: 'float', reason: 'excluded' });
    for (const select of ['op:Conv', 'scope:/s/', '/s/*']) {
      const recipe = { model: 'm', layers: [{ select, quantize: false }] };
      const [first, second] = suggestFixes(report([excluded], { recipe }), '/s/a');
      assert.deepEqual([first?.change, second?.change], [included, { kind: 'remove-override', select }]);
    }
    const recipe = { model: 'm', layers: [{ select: '/s/a', quantize: false, observer: 'mse' as const }] };
    assert.deepEqual(suggestFixes(report([excluded], { recipe }), '/s/a')[0]?.change, included);
  });

  test('one that PyTorch leaves in float is excluded, which saves conversions; in ONNX there are none', () => {
    const layers = [left('runtime-not-fused'), ...others];
    assert.deepEqual(kinds(report(layers, { framework: 'torch' })), ['exclude-layer']);
    assert.deepEqual(kinds(report(layers, { framework: 'onnx' })), []);
  });

  test('what another mode quantizes is sent there, all of the operator at once', () => {
    const lstm = (name: string): LayerReport =>
      layer(name, { op: 'LSTM', status: 'fallback', reason: 'needs-dynamic' });
    const changeOf = (select: string, mode: 'dynamic' | 'weight-only') => ({
      kind: 'override',
      override: { select, mode },
    });
    const changes = (...layers: readonly LayerReport[]) =>
      suggestFixes(report(layers), 'a').map(({ change }) => change);
    assert.deepEqual(changes(lstm('a')), [changeOf('a', 'dynamic')]);
    assert.deepEqual(changes(lstm('a'), lstm('b')), [changeOf('op:LSTM', 'dynamic'), changeOf('a', 'dynamic')]);
    assert.deepEqual(changes(left('weight-only-at-most')), [changeOf('a', 'weight-only')]);
  });

  test('an opset that was kept is raised', () => {
    const recipe = { model: 'm', normalize: { opset: 'keep' as const } };
    const model = { opset: 9 } as Report['model'];
    assert.deepEqual(kinds(report([left('opset-too-old')], { recipe, model })), ['raise-opset']);
    assert.deepEqual(kinds(report([left('opset-too-old')])), []);
  });

  test('a backend that has the kernel', () => {
    const fixes = suggestFixes(report([left('op-not-supported', { alternatives: ['qnn', 'openvino'] })]), 'a');
    assert.deepEqual(
      fixes.map(({ change, preferred }) => [change, preferred]),
      [
        [{ kind: 'backend', backend: 'qnn' }, true],
        [{ kind: 'backend', backend: 'openvino' }, false],
      ],
    );
    assert.deepEqual(kinds(report([left('op-not-supported')])), []);
  });
});

test('fixes of the whole model', () => {
  const perTensor = [layer('a', { tensors: [weight(null)] }), ...others];
  assert.deepEqual(
    suggestRecipeFixes(report(perTensor)).map(({ change, preferred }) => [change, preferred]),
    [
      [{ kind: 'weights', granularity: 'per-channel' }, true],
      [{ kind: 'observer', observer: 'mse' }, false],
      [{ kind: 'observer', observer: 'percentile', percentile: 99.99 }, false],
      [{ kind: 'observer', observer: 'percentile', percentile: 99.9 }, false],
    ],
  );
  const mse = { data: 'd', synthetic: false, samples: 1, observer: 'mse', skipped: [], cached: false } as const;
  assert.deepEqual(suggestRecipeFixes(report(others, { calibration: mse })), []);
});

test('biases are corrected where neither recipe nor backend does', () => {
  const offered = (biasCorrection: boolean | undefined, byTarget: boolean, settings: Partial<Report> = {}): boolean => {
    const calibration = { data: 'd', ...(biasCorrection === undefined ? {} : { biasCorrection }) };
    const target = { perTensorOps: [], activations16: 'float', levels: 256, biasCorrection: byTarget } as const;
    const of = report(others, { target, recipe: { model: 'm.onnx', calibration }, ...settings });
    return suggestRecipeFixes(of).some(({ change }) => change.kind === 'bias-correction' && change.enabled);
  };
  assert.deepEqual(
    [offered(undefined, true), offered(undefined, false), offered(true, false), offered(false, true)],
    [false, true, false, true],
  );
  const environment = { saturates: false } as Report['environment'];
  assert.equal(offered(undefined, false, { framework: 'torch', environment }), false);
  assert.equal(offered(undefined, false, { mode: 'dynamic' }), false);
});

test('PyTorch: weights per channel where its observers can, never for a transposed convolution or a recurrent module', () => {
  const environment = { saturates: false } as Report['environment'];
  const torch = (op: string, mode: Report['mode'] = 'static'): Report => {
    const perTensor = layer('a', { op, tensors: [weight(null)] });
    const made = report([perTensor, ...others], { framework: 'torch', backend: 'qnnpack', mode, environment });
    return Object.fromEntries(Object.entries(made).filter(([key]) => key !== 'target')) as unknown as Report;
  };
  assert.ok(kinds(torch('Conv2d')).includes('per-channel'));
  assert.ok(suggestRecipeFixes(torch('Conv2d')).some(({ kind }) => kind === 'per-channel'));
  assert.ok(!kinds(torch('ConvTranspose2d')).includes('per-channel'));
  assert.ok(!kinds(torch('LSTM', 'dynamic')).includes('per-channel'));
});

test('PyTorch: the backend whose integers its kernels can take on this CPU', () => {
  const backends = (backend: Report['backend'], onednn: boolean, settings: Partial<Report> = {}): unknown[] => {
    const engines = ['fbgemm', 'onednn'].map((id) => ({ id, saturates: id === 'onednn' && onednn }));
    const environment = { engines, saturates: onednn && backend === 'onednn' } as unknown as Report['environment'];
    const of = report(others, { framework: 'torch', backend, environment, ...settings });
    return suggestRecipeFixes(of).flatMap(({ change }) => (change.kind === 'backend' ? [change.backend] : []));
  };
  assert.deepEqual(backends('fbgemm', false), ['onednn']);
  assert.deepEqual(backends('fbgemm', true), []);
  assert.deepEqual(backends('onednn', true), ['fbgemm']);
  assert.deepEqual(backends('onednn', false), []);
  assert.deepEqual(backends('fbgemm', false, { mode: 'dynamic' }), []);
});
