import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Recipe } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import { goalChoices, toNumber, valueProblem } from './goalChoices';

const RECIPE: Recipe = { model: 'net.onnx' };
const chosen = (recipe: Recipe, report?: Partial<Report>): Record<string, number> =>
  Object.fromEntries(
    goalChoices(recipe, report as Report | undefined, 20)
      .filter(({ picked }) => picked)
      .map(({ key, value }) => [key, value]),
  );

describe('the goal that a tune starts with', () => {
  test('is the SQNR, unless something says that the model classifies', () => {
    assert.deepEqual(chosen(RECIPE), { minSqnr: 20 });
    assert.deepEqual(chosen({ ...RECIPE, validate: { data: 'v', labels: 'l.tsv' } }), { maxDrop: 1 });
    assert.deepEqual(chosen(RECIPE, { accuracy: { samples: 9, top1: null, top5: null, agreement: 97 }, outputs: [] }), {
      maxDrop: 1,
    });
  });

  test('is what the gates of the recipe ask for, where it has some', () => {
    const gates = { 'min-output-sqnr': 31, 'max-latency-ratio': 0.5 };
    assert.deepEqual(chosen({ ...RECIPE, gates, validate: { data: 'v', labels: 'l.tsv' } }), {
      minSqnr: 31,
      maxLatencyRatio: 0.5,
    });
  });

  test('tells where the last run stands', () => {
    const report = {
      accuracy: { samples: 9, top1: { fp32: 62.5, int8: 60 }, top5: null, agreement: 90 },
      outputs: [{ name: 'y', error: { sqnr: 17.49, cosine: 1, worst: { sample: '', sqnr: null } } }],
      latency: { threads: 1, runs: 9, fp32: 2, int8: 1, ratio: 2 },
    } as const;
    const details = goalChoices(RECIPE, report as unknown as Report, 20).map(({ detail }) => detail);
    assert.match(details[0]!, /Last run: 2\.50\.$/);
    assert.match(details[1]!, /Last run: 17\.5 dB\.$/);
    assert.match(details[2]!, /Last run: 0\.500\.$/);
  });

  test('takes numbers as people type them, and says what is none', () => {
    assert.equal(toNumber(' 0,5 '), 0.5);
    assert.equal(valueProblem('0,5', { least: 0 }), undefined);
    assert.match(valueProblem('', { least: 0 }) ?? '', /number/);
    assert.match(valueProblem('-1', { least: 0 }) ?? '', /At least 0/);
  });
});
