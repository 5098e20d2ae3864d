import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkGates } from './gates';
import { gatesSchema, type Recipe } from './recipe';
import type { AccuracyReport, Report } from './report';

/** Only what the gates read. */
function report(
  gates: Recipe['gates'],
  sqnrs: readonly (number | null)[],
  top1: AccuracyReport['top1'] = null,
): Report {
  const outputs = sqnrs.map((sqnr, i) => ({
    name: `out${i}`,
    error: { sqnr, cosine: 1, worst: { sample: '', sqnr } },
  }));
  const accuracy = { samples: 1, top1, top5: null, agreement: null };
  return {
    recipe: { model: 'm.onnx', ...(gates === undefined ? {} : { gates }) },
    outputs,
    unmatched: [],
    accuracy,
  } as unknown as Report;
}

const outcome = (r: Report): (readonly [string, boolean, number | null])[] =>
  checkGates(r).map(({ gate, passed, measured }) => [gate, passed, measured] as const);

describe('gates', () => {
  test('a recipe without gates has none', () => {
    assert.deepEqual(checkGates(report(undefined, [3])), []);
  });

  test('accuracy: a drop of exactly the limit passes in spite of rounding', () => {
    const at = (int8: number): boolean | undefined =>
      checkGates(report({ 'max-accuracy-drop': 0.1 }, [], { fp32: 70.4, int8 }))[0]?.passed;
    assert.deepEqual([at(70.3), at(70.29), at(71)], [true, false, true]);
  });

  test('accuracy: what was not measured fails', () => {
    assert.deepEqual(outcome(report({ 'max-accuracy-drop': 5 }, [30])), [['max-accuracy-drop', false, null]]);
  });

  test('outputs: the worst counts, no error at all passes, no output fails', () => {
    const gate = { 'min-output-sqnr': 20 };
    assert.deepEqual(outcome(report(gate, [30, 19.9, null])), [['min-output-sqnr', false, 19.9]]);
    assert.deepEqual(outcome(report(gate, [30, 20])), [['min-output-sqnr', true, 20]]);
    assert.deepEqual(outcome(report(gate, [null])), [['min-output-sqnr', true, null]]);
    assert.deepEqual(outcome(report(gate, [])), [['min-output-sqnr', false, null]]);
  });

  const layers = [
    { name: 'a', status: 'quantized', reason: null, local: { sqnr: 12 } },
    { name: 'b', status: 'quantized', reason: null, local: { sqnr: 20 } },
    { name: 'c', status: 'quantized', reason: null, local: { sqnr: null } },
    { name: 'd', status: 'fallback', reason: 'op-not-supported', local: null },
    { name: 'e', status: 'float', reason: 'excluded', local: null },
  ];
  const run = (gates: Recipe['gates'], more: object): Report =>
    ({ ...report(gates, []), model: { bytes: 1000 }, quantized: { bytes: 300 }, layers, ...more }) as unknown as Report;

  test('layers: those strictly below the limit count, an exact one never does, and they are named', () => {
    const gate = (sqnr: number, most?: number): Recipe['gates'] => ({
      'max-layers-below': { sqnr, ...(most === undefined ? {} : { layers: most }) },
    });
    assert.deepEqual(outcome(run(gate(20), {})), [['max-layers-below', false, 1]]);
    assert.deepEqual(outcome(run(gate(12), {})), [['max-layers-below', true, 0]]);
    assert.deepEqual(outcome(run(gate(30, 2), {})), [['max-layers-below', true, 2]]);
    assert.deepEqual(outcome(run(gate(30), { layers: layers.slice(3) })), [['max-layers-below', false, null]]);
    assert.match(checkGates(run(gate(30), {}))[0]?.message ?? '', /2 layers below 30 dB: a 12\.0 dB, b 20\.0 dB;/);
  });

  test('fallbacks, size and latency; what was not measured fails', () => {
    assert.deepEqual(outcome(run({ 'max-fallbacks': 0 }, {})), [['max-fallbacks', false, 1]]);
    assert.deepEqual(outcome(run({ 'max-fallbacks': 1 }, {})), [['max-fallbacks', true, 1]]);
    assert.deepEqual(outcome(run({ 'max-size-ratio': 0.3 }, {})), [['max-size-ratio', true, 0.3]]);
    assert.deepEqual(outcome(run({ 'max-size-ratio': 0.29 }, {})), [['max-size-ratio', false, 0.3]]);
    assert.deepEqual(outcome(run({ 'max-size-ratio': 1 }, { quantized: null })), [['max-size-ratio', false, null]]);
    const slow = { latency: { fp32: 1, int8: 2, ratio: 0.5 } };
    assert.deepEqual(outcome(run({ 'max-latency-ratio': 2 }, slow)), [['max-latency-ratio', true, 2]]);
    assert.deepEqual(outcome(run({ 'max-latency-ratio': 1.9 }, slow)), [['max-latency-ratio', false, 2]]);
    assert.deepEqual(outcome(run({ 'max-latency-ratio': 9 }, {})), [['max-latency-ratio', false, null]]);
  });

  test('every gate of the schema is held, in its order', () => {
    const gates = {
      ...{ 'max-latency-ratio': 1, 'max-size-ratio': 1, 'max-fallbacks': 0 },
      ...{ 'max-layers-below': { sqnr: 1 }, 'min-output-sqnr': 1, 'max-accuracy-drop': 1 },
    };
    const held = checkGates(run(gates, {})).map(({ gate }) => gate);
    assert.deepEqual(held, Object.keys(gatesSchema.shape));
  });
});
