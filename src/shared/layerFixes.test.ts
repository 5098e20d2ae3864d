import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layer, measure, reportOf } from '../../test/helpers/report';
import type { Cause } from './causes';
import { changeKey, type Fix } from './fixes';
import { layerFixes } from './layerFixes';
import { suggestFixes, suggestRecipeFixes } from './suggest';
import type { Culprits } from './verdicts';

const report = reportOf({ layers: [layer('a', { local: measure(9) }), layer('b')] });

const reduceRange: Fix = {
  ...{ kind: 'reduce-range', title: 'Use 7-bit weights', detail: '', preferred: true },
  change: { kind: 'override', override: { select: 'a', weights: { reduceRange: true } } },
};
const exclude: Fix = {
  ...{ kind: 'exclude-layer', title: 'Keep "a" in float', detail: 'Found by its cause.', preferred: true },
  change: { kind: 'override', override: { select: 'a', quantize: false, because: 'of an outlier' } },
};

function culprits(ofModel: readonly Cause[], ofLayer: readonly Cause[]): Culprits {
  const cost = { passes: 1, layers: 1, seconds: 1 };
  const verdict = { verdict: 'culprit', why: '', only: 9, without: 30, share: 90, growth: null, split: null } as const;
  const layers = [{ layer: 'a', ...verdict, causes: ofLayer }];
  return { version: 1, report: report.created, samples: 1, sqnr: 9, cost, causes: ofModel, layers };
}

test('without culprits they are what the report suggests', () => {
  assert.deepEqual(layerFixes(report, undefined, 'a'), suggestFixes(report, 'a'));
  assert.deepEqual(layerFixes(report, undefined, null), suggestRecipeFixes(report));
});

test('what a cause calls for comes first, and the first alone is preferred', () => {
  const cause: Cause = { kind: 'kernel-saturation', sentence: '', fix: reduceRange };
  const fixes = layerFixes(report, culprits([], [cause]), 'a');
  assert.deepEqual(
    fixes.map(({ title }) => title),
    [reduceRange.title, ...suggestFixes(report, 'a').map(({ title }) => title)],
  );
  assert.deepEqual(
    fixes.map(({ preferred }) => preferred),
    fixes.map((_, index) => index === 0),
  );
  assert.deepEqual(layerFixes(report, culprits([], [cause]), 'b'), suggestFixes(report, 'b'));
});

test('a change that both name is there once, as its cause tells it', () => {
  const suggested = suggestFixes(report, 'a');
  assert.ok(suggested.some(({ change }) => changeKey(change) === changeKey(exclude.change)));
  const fixes = layerFixes(report, culprits([], [{ kind: 'outlier-channel', sentence: '', fix: exclude }]), 'a');
  assert.equal(fixes.length, suggested.length);
  assert.equal(fixes[0]?.detail, exclude.detail);
});

test('causes of the model as a whole have their own', () => {
  const cause: Cause = { kind: 'preprocessing', sentence: '', fix: exclude };
  assert.equal(layerFixes(report, culprits([cause], []), null)[0]?.title, exclude.title);
});
