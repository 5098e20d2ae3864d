import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layer, measure, reportOf } from '../../test/helpers/report';
import type { Cause } from './causes';
import { changeKey, type Fix } from './fixes';
import { fixesToTry } from './fixesToTry';
import type { Culprits, LayerVerdict } from './verdicts';

const WEIGHTS = {
  calibration: { data: 'd', synthetic: false, samples: 9, observer: 'min-max', skipped: [], cached: false },
} as const;
const report = reportOf({
  ...WEIGHTS,
  layers: [layer('good'), layer('bad', { local: measure(5) }), layer('middling', { local: measure(20) })],
});

const verdict = (name: string, share: number, more: Partial<LayerVerdict> = {}): LayerVerdict => ({
  ...{ layer: name, verdict: 'culprit', why: '', only: 9, without: 30, share, growth: null, split: null, causes: [] },
  ...more,
});

test('fixes of the model come first, then those of the layers, the worst first', () => {
  const layers = fixesToTry(report, undefined, undefined, 99).map(({ layer: of }) => of);
  assert.equal(layers[0], null);
  const named = layers.filter((name) => name !== null);
  assert.deepEqual([...new Set(named)], ['bad', 'middling', 'good']);
});

test('where the culprits are known, what their causes call for comes first of all', () => {
  const fix: Fix = {
    ...{ kind: 'equalize', title: 'Even out', detail: '', preferred: true },
    change: { kind: 'equalize', enabled: true },
  };
  const causes: readonly Cause[] = [{ kind: 'channel-imbalance', sentence: '', fix }];
  const culprits: Culprits = {
    ...{ version: 1, report: report.created, samples: 1, sqnr: 9, causes: [] },
    cost: { passes: 1, layers: 1, seconds: 1 },
    layers: [verdict('bad', 1, { verdict: 'harmless' }), verdict('good', 90, { causes })],
  };
  const [first, ...others] = fixesToTry(report, culprits, undefined, 99);
  assert.deepEqual([first?.layer, first?.fix.title], ['good', 'Even out']);
  assert.equal(others.find(({ layer: of }) => of !== null)?.layer, 'good');
});

test('no change is tried twice, no more than asked for, and of one layer only its own', () => {
  const all = fixesToTry(report, undefined, undefined, 99);
  assert.equal(new Set(all.map(({ fix }) => changeKey(fix.change))).size, all.length);
  assert.deepEqual(fixesToTry(report, undefined, undefined, 2), all.slice(0, 2));
  const own = fixesToTry(report, undefined, 'bad', 99);
  assert.ok(own.length > 0 && own.every(({ layer: of }) => of === 'bad'));
});
