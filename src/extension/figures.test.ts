import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LayerReport, Report } from '../shared/report';
import { figuresOf, resultSentences, runSettings, shortResult, worstLayer } from './figures';

function layer(name: string, sqnr: number | null): LayerReport {
  const local = { sqnr, cosine: 1, worst: { sample: '', sqnr } };
  return { name, local } as unknown as LayerReport;
}

const REPORT = {
  model: { bytes: 160_000 },
  quantized: { bytes: 80_000 },
  accuracy: { samples: 300, top1: { fp32: 96.67, int8: 94.33 }, top5: null, agreement: 97 },
  latency: { threads: 1, runs: 20, fp32: 4, int8: 2, ratio: 2 },
  counts: { quantized: 3, float: 1, fallback: 0 },
  outputs: [],
  calibration: null,
  layers: [layer('a', 30), layer('b', 9.12), layer('c', null)],
} as unknown as Report;

test('a run in one line', () => {
  assert.equal(shortResult(REPORT), '96.7 → 94.3 %, 2.00× smaller, 2.00× as fast');
});

test('a run is told from others by its observer and by what it keeps in float', () => {
  const calibration = { observer: 'mse' } as Report['calibration'];
  const recipe = { layers: [{ select: 'a', quantize: false }, { select: 'b' }] } as Report['recipe'];
  assert.equal(runSettings({ ...REPORT, calibration, recipe }), 'mse, 1 kept in float');
  assert.equal(runSettings({ ...REPORT, recipe: {} as Report['recipe'] }), '');
});

test('the figures begin with what tells most', () => {
  assert.deepEqual(
    figuresOf(REPORT).map(({ value }) => value),
    ['96.7 → 94.3 %, −2.34', '2.00× smaller, 80.0 kB', '2.00× as fast, 2.00 ms', '3 int8, 1 float', '9.12 dB, b'],
  );
  assert.deepEqual(
    figuresOf(REPORT).map(({ value, full = value }) => full),
    [
      '96.7 → 94.3 %, −2.34',
      '2.00× smaller, 160 kB → 80.0 kB',
      '4.00 ms → 2.00 ms, 2.00× as fast',
      '3 int8, 1 float',
      '9.12 dB, b',
    ],
  );
});

test('a run in sentences names its worst layer', () => {
  assert.equal(
    resultSentences('net', REPORT),
    'net: 3 of 4 layers in int8, 96.7 → 94.3 %, 2.00× smaller, 2.00× as fast. Worst layer: b, 9.12 dB.',
  );
});

test('the worst layer is the one with the lowest SQNR; without any error there is none', () => {
  assert.equal(worstLayer(REPORT)?.name, 'b');
  assert.equal(worstLayer({ ...REPORT, layers: [layer('c', null)] }), undefined);
});

test('what was not measured is no figure', () => {
  const bare = { ...REPORT, accuracy: null, latency: null, quantized: null, layers: [] };
  assert.deepEqual(figuresOf(bare), [{ kind: 'layers', name: 'Layers', value: '3 int8, 1 float' }]);
  assert.equal(shortResult(bare), '');
});

test('without labels both models are compared with each other', () => {
  const accuracy = { samples: 300, top1: null, top5: null, agreement: 98.5 };
  assert.equal(figuresOf({ ...REPORT, accuracy })[0]?.value, '98.5 %');
});

test('larger is not called smaller, and what cannot be told apart is not called fast', () => {
  const quantized = { ...REPORT.quantized!, bytes: 4 * REPORT.model.bytes };
  const latency = { ...REPORT.latency!, fp32: 16.3, int8: 14.8, ratio: 16.3 / 14.8, interval: { low: 0.9, high: 1.2 } };
  assert.equal(shortResult({ ...REPORT, quantized, latency }), '96.7 → 94.3 %, 4.00× larger, speed not told apart');
});
