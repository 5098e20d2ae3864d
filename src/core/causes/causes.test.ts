import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LayerReport, TensorReport } from '../../shared/report';
import { causesOf, fewSamples, type LayerData } from './causes';
import type { SampleExtremes } from './extremes';

const one = { type: 'uint8', scale: [1], zeroPoint: [0], axis: null };
const chosenBy = { observer: 'min-max', percentile: 99.999, qmin: 0, qmax: 255, symmetric: false } as const;

function tensor(name: string, role: TensorReport['role']): TensorReport {
  const range = { min: 0, max: 1 };
  return { name, role, shape: [1, 4, 8, 8], observed: range, range, quantization: one, chosenBy };
}

function layer(changes: Partial<LayerReport> = {}): LayerReport {
  return {
    ...{ name: 'conv', op: 'Conv', fused: [], nodes: ['conv'], scope: '', status: 'quantized', reason: null },
    ...{ kernel: 'QLinearConv', time: { int8: null, fp32: null }, macs: 0, local: null, accumulated: null },
    ...{ saturation: null, tensors: [tensor('in', 'input'), tensor('w', 'weight'), tensor('out', 'output')] },
    ...changes,
  };
}

/** Peaks of one tensor, by sample and channel. */
function extremes(peaks: Readonly<Record<string, readonly (readonly number[])[]>>): SampleExtremes {
  const entries = Object.entries(peaks).map(([name, values]) => {
    const max = values.map((channels) => Float32Array.from(channels));
    return [name, { min: max.map((channels) => channels.map((v) => v / 2)), max }] as const;
  });
  const count = Math.max(0, ...Object.values(peaks).map((values) => values.length));
  return { samples: Array.from({ length: count }, (_, i) => `${i}.png`), tensors: new Map(entries) };
}

function data(changes: Partial<LayerData> = {}): LayerData {
  return {
    ...{ report: layer(), extremes: extremes({}), weights: [], readers: [] },
    producerOf: (name) => (name === 'out' ? 'conv' : undefined),
    equalizing: () => undefined,
    smoothing: () => [],
    splittable: false,
    beyond: () => ({ values: 2, of: 10_000 }),
    ...changes,
  };
}

const kinds = (changes: Partial<LayerData>): string[] => causesOf(data(changes)).map(({ kind }) => kind);

describe('causes', () => {
  test('of a healthy layer there are none', () => {
    const healthy = extremes({ in: [[1, 2, 1, 2]], out: [[3, 2, 3, 2]] });
    assert.deepEqual(kinds({ extremes: healthy, weights: [1, 2, 3] }), []);
  });

  test('a channel of the weights, only where all share one scale', () => {
    const [cause] = causesOf(data({ weights: [1, 1, 50, 1.2] }));
    assert.deepEqual([cause?.kind, cause?.channels], ['outlier-channel', [2]]);
    const own = layer({ tensors: [{ ...tensor('w', 'weight'), quantization: { ...one, axis: 0 } }] });
    assert.deepEqual(kinds({ report: own, weights: [1, 1, 50, 1.2] }), []);
    assert.deepEqual(kinds({ weights: [1, 0.05, 0.3, 0.5] }), ['channel-imbalance']);
  });

  test('of as many channels as a vocabulary has', () => {
    const vocabulary = Array<number>(300_000).fill(1);
    assert.deepEqual(kinds({ weights: vocabulary, extremes: extremes({ out: [vocabulary] }) }), []);
  });

  test('a channel of an activation that the weights make, so that equalizing takes it away', () => {
    const peaks = { extremes: extremes({ in: [[1, 1, 1, 40]] }) };
    const [evened] = causesOf(data({ ...peaks, equalizing: () => Float64Array.of(1, 1, 1, 30) }));
    assert.deepEqual(evened?.fix?.change, { kind: 'equalize', enabled: true });
    const [not] = causesOf(data({ ...peaks, equalizing: () => Float64Array.of(1, 1, 1, 2) }));
    assert.equal(not?.fix?.kind, 'exclude-layer');
  });

  test('a channel of an activation', () => {
    const [cause, ...others] = causesOf(data({ extremes: extremes({ in: [[1, 1, 1, 40]] }) }));
    assert.equal(others.length, 0);
    assert.match(cause?.sentence ?? '', /Channel 3 of what "conv" reads is 40 times larger/);
  });

  test('one sample, whose range is left to the percentile that cuts just it', () => {
    const found = causesOf(
      data({
        extremes: extremes({
          out: [
            [1, 1],
            [1, 1],
            [9, 1],
            [1, 1],
          ],
        }),
      }),
    );
    assert.deepEqual([found[0]?.kind, found[0]?.sample], ['one-sample-range', '2.png']);
    assert.deepEqual(found[0]?.fix?.change, {
      kind: 'override',
      override: { select: 'conv', observer: 'percentile', percentile: 99.975 },
    });
    // An input of the model has no layer whose observer could be chosen.
    const input = causesOf(data({ extremes: extremes({ in: [[1], [1], [9]] }) }));
    assert.equal(input[0]?.fix?.change.kind, 'observer');
  });

  test('a Concat of unequal inputs goes together with what reads it', () => {
    const join = layer({ name: 'join{1}', op: 'Concat', tensors: [tensor('a', 'input'), tensor('b', 'input')] });
    const unequal = extremes({ a: [[0.1]], b: [[40]] });
    const [cause] = causesOf(data({ report: join, extremes: unequal, readers: ['next'] }));
    assert.match(cause?.sentence ?? '', /the smaller has 1 of 256 steps/);
    const change = cause?.fix?.change;
    assert.equal(change?.kind === 'override' && change.override.select, '{join\\{1\\},next}');
    assert.deepEqual(kinds({ report: join, extremes: extremes({ a: [[4]], b: [[9]] }) }), []);
  });

  test('saturation, dead channels, tiny weights', () => {
    assert.deepEqual(kinds({ report: layer({ saturation: 0.02 }) }), ['kernel-saturation']);
    assert.deepEqual(kinds({ report: layer({ saturation: 1e-5 }) }), []);
    assert.deepEqual(kinds({ weights: [1e-8, 2e-8] }), ['tiny-weights']);
    const still = extremes({
      out: [
        [0, 2],
        [0, 3],
      ],
    });
    const [dead] = causesOf(data({ extremes: still }));
    assert.deepEqual([dead?.kind, dead?.channels], ['dead-channels', [0]]);
  });
});

describe('too few samples', () => {
  test('told by ranges that still grow', () => {
    const growing = extremes({ a: [[1], [2], [3], [4]] });
    assert.match(fewSamples(growing)[0]?.sentence ?? '', /With 4 samples .* widened the median range by 100 %/);
    assert.deepEqual(fewSamples(extremes({ a: [[4], [2], [3], [4]] })), []);
    assert.deepEqual(fewSamples(extremes({ a: [[4]] })), []);
  });
});
