import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layersFrom } from '../../fixtures/layers';
import { fullShare, laneBars, laneHeight } from './lane';
import { wholeView } from './scale';

test('there is no lane as long as nobody has asked', () => {
  assert.equal(laneHeight(layersFrom([{}])), 0);
  assert.ok(laneHeight(layersFrom([{ verdict: 'harmless', share: 1 }])) > 0);
});

test('the lane is full at a round share that no layer exceeds', () => {
  const of = (...shares: number[]): number => fullShare({ share: Float64Array.from(shares) });
  assert.equal(of(84.5, NaN), 100);
  assert.equal(of(50), 50);
  assert.equal(of(0.03, 2.4), 5);
  assert.equal(of(), 1);
});

test('layers that share a pixel are one bar: their largest share, their gravest verdict', () => {
  const { blame } = layersFrom([
    { verdict: 'victim', share: 9 },
    { verdict: 'culprit', share: 4 },
    { verdict: null },
    { verdict: 'harmless', share: 0.5 },
  ]);
  const together = laneBars(blame!, wholeView(4), (layer) => layer / 10);
  assert.deepEqual(
    together.map(({ share, verdict }) => ({ share, verdict })),
    [{ share: 9, verdict: 'culprit' }],
  );
  assert.equal(laneBars(blame!, wholeView(4), (layer) => layer * 10).length, 3);
});
