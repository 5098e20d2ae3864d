import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { layer, reportOf } from '../../test/helpers/report';
import type { Fix } from './fixes';
import { fixesToTry } from './fixesToTry';
import { judge } from './judgement';
import { layerFixes } from './layerFixes';
import { modeFixes } from './modes';
import type { Difference, Price, Prices } from './price';
import { modesText } from './priceText';
import type { Mode } from './recipe';
import type { LayerReport, Report } from './report';

const modesOf = (report: Report): (string | undefined)[] =>
  modeFixes(report).map(({ change }) => (change.kind === 'mode' ? change.mode : undefined));

const recipe = { model: 'm.onnx', calibration: { data: 'd' } };
const work = (op: string, macs: number): LayerReport => layer(`${op}-${macs}`, { op, macs });
const about = (value: number, margin: number): Difference => ({ value, low: value - margin, high: value + margin });

function price(from: number | null, sqnr: Difference, time: Difference | null, sizeRatio: number, macs = 0): Price {
  return { sqnr, from, latency: time, sizeRatio, macs, agreement: null, top1: null, bytes: 0, samples: 16 };
}

const fix = (mode: Mode): Fix => ({
  ...{ kind: 'mode', title: mode, detail: '', preferred: false },
  change: { kind: 'mode', mode },
});

describe('which other modes are tried', () => {
  test('those that reach at least half of the work', () => {
    const products = reportOf({ recipe, layers: [work('MatMul', 60), work('Conv', 40)] });
    assert.deepEqual(modesOf(products), ['dynamic', 'weight-only']);
    assert.deepEqual(modesOf(reportOf({ recipe, layers: [work('MatMul', 40), work('Conv', 60)] })), ['weight-only']);
    assert.deepEqual(modesOf(reportOf({ recipe, layers: [work('Softmax', 0)] })), []);
    assert.deepEqual(modesOf({ ...products, framework: 'torch' }), []);
  });

  test('static where there is data to calibrate on', () => {
    const layers = [work('MatMul', 1)];
    assert.deepEqual(modesOf(reportOf({ recipe, mode: 'dynamic', layers })), ['static', 'weight-only']);
    assert.deepEqual(modesOf(reportOf({ recipe: { model: 'm.onnx' }, mode: 'dynamic', layers })), ['weight-only']);
    const tried = fixesToTry(reportOf({ recipe, layers }), undefined, undefined, 99).map(
      ({ fix: { change } }) => change,
    );
    assert.ok(tried.some((change) => change.kind === 'mode' && change.mode === 'dynamic'));
  });
});

describe('a mode is better', () => {
  const judged = (tried: Price): string => judge({ fix: fix('dynamic'), price: tried });

  test('where error, time and size are a gain on balance', () => {
    // Two LSTM with a dense layer: static 18 dB, dynamic 30.
    assert.equal(judged(price(18, about(12, 1), about(0.2, 0.05), 0.3)), 'better');
    // Far above what eight bits can tell, time and size decide.
    assert.equal(judged(price(71, about(-4.4, 0.7), about(-0.38, 0.07), 0.28)), 'better');
    assert.equal(judged(price(null, about(-80, 1), about(-0.38, 0.07), 0.28)), 'better');
    assert.equal(judged(price(30, about(0, 0.2), null, 0.5)), 'better');
  });

  test('and not where it is bought too dearly', () => {
    // A convolutional network with its weights alone in int8.
    assert.equal(judged(price(27, about(15, 1), about(1.5, 0.1), 1)), 'worse');
    assert.equal(judged(price(27, about(15, 1), null, 3.5, -95)), 'worse');
    assert.equal(judged(price(30, about(-12, 1), about(-0.3, 0.05), 1)), 'worse');
  });

  test('or within the noise, whichever way its middle points', () => {
    for (const value of [-0.3, 0, 0.3]) {
      assert.equal(judged(price(30, about(value, 0.8), about(0.02, 0.05), 1)), 'same');
    }
  });

  test('then it is offered, else not', () => {
    const report = reportOf({ recipe, layers: [work('MatMul', 1)] });
    const prices: Prices = {
      ...{ samples: 16, start: { sqnr: 18, agreement: null, top1: null, top1Fp32: null } },
      fixes: [
        { fix: fix('dynamic'), layer: null, price: price(18, about(12, 1), about(0.2, 0.05), 0.3) },
        { fix: fix('weight-only'), layer: null, price: price(18, about(11, 1), about(2, 0.05), 0.3) },
      ],
    };
    const offered = layerFixes(report, undefined, null, prices).filter(({ kind }) => kind === 'mode');
    assert.deepEqual(
      offered.map(({ title }) => title),
      ['dynamic'],
    );
    const told = modesText('static', prices);
    assert.match(
      told ?? '',
      /^static \(this run\): 18\.0 dB; dynamic: 30\.0 dB, time \+20\.0 %.*0\.300 times the bytes; weight/,
    );
    assert.equal(modesText('static', { ...prices, fixes: [] }), undefined);
  });
});
