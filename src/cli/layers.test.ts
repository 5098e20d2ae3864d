import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ErrorMeasure } from '../shared/measured';
import type { LayerReport } from '../shared/report';
import { sortLayers } from '../shared/layerOrder';
import { countStrip, layerTable, reasonLegend } from './layers';
import { PLAIN } from './style';

const measure = (sqnr: number | null): ErrorMeasure => ({ sqnr, cosine: 1, worst: { sample: 's', sqnr } });

function layer(name: string, changes: Partial<LayerReport> = {}): LayerReport {
  return {
    ...{ name, op: 'Conv', fused: ['Relu'], nodes: [name], scope: '', status: 'quantized', reason: null },
    ...{ kernel: 'QLinearConv', time: { int8: null, fp32: null }, macs: 0, local: null, accumulated: null },
    ...{ saturation: null, tensors: [] },
    ...changes,
  };
}

const names = (layers: readonly LayerReport[]): string => layers.map(({ name }) => name).join('');

describe('sorting', () => {
  const layers = [
    layer('a', { local: measure(null), time: { int8: 5, fp32: 1 } }),
    layer('b', { local: measure(-2), time: { int8: 50, fp32: 1 } }),
    layer('c', { status: 'float' }),
    layer('d', { local: measure(30), time: { int8: 5, fp32: 1 } }),
  ];

  test('worst first, then exact ones, then those not measured', () => {
    assert.equal(names(sortLayers(layers, 'sqnr')), 'bdac');
  });

  test('slowest first, equals in the order of the graph', () => {
    assert.equal(names(sortLayers(layers, 'time')), 'badc');
    assert.equal(names(sortLayers(layers, 'order')), 'abcd');
  });
});

describe('layer table', () => {
  test('status by symbol and word, numbers with units, reasons in words below', () => {
    const layers = [
      layer('features/0', {
        local: measure(9.1234),
        accumulated: measure(null),
        time: { int8: 48.34, fp32: 1120 },
        saturation: 1e-9,
      }),
      layer('evil\u001b[2J', { op: 'Softmax', fused: [], status: 'float', reason: 'op-keeps-float', kernel: null }),
      layer('head', { status: 'fallback', reason: 'runtime-not-fused', kernel: 'FusedConv' }),
    ];
    assert.deepEqual(layerTable(layers, PLAIN).split('\n'), [
      'status      layer          operator   kernel       local SQNR  accumulated   clipped  int8 time  fp32 time  why not int8',
      '■ int8      features/0     Conv+Relu  QLinearConv     9.12 dB        exact  < 0.01 %    48.3 µs    1.12 ms',
      '○ float     evil\\u001b[2J  Softmax    –                     –            –         –          –          –  op-keeps-float',
      '▲ fallback  head           Conv+Relu  FusedConv             –            –         –          –          –  runtime-not-fused',
    ]);
    const legend = reasonLegend([...layers, layers[2]!], PLAIN);
    assert.match(legend, /runtime-not-fused \(2 layers\): The layer was to run in int8, but .* in PyTorch exclude it/);
    assert.equal(legend.split('\n').length, 3);
  });

  test('nothing to show', () => {
    assert.equal(layerTable([], PLAIN), 'No layers.');
    assert.equal(reasonLegend([layer('a')], PLAIN), '');
    const counts = { quantized: 2, float: 0, fallback: 1 };
    assert.equal(countStrip({ counts }, PLAIN), '■ 2 int8   ○ 0 float   ▲ 1 fallback');
    const strip = countStrip({ counts, shapeComputations: 12 }, PLAIN);
    assert.equal(strip, '■ 2 int8   ○ 0 float   ▲ 1 fallback   and 12 shape computations');
  });
});
