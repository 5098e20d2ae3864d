import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkGates } from './gates';
import type { Recipe } from './recipe';
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
});
