import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { byBlame } from '../../shared/verdicts';
import { judge, type Evidence } from './verdict';

const base: Evidence = { layer: '', only: 40, without: 20.1, local: 40, accumulated: 30, incoming: 30 };
const layer = (name: string, changes: Partial<Evidence>): Evidence => ({ ...base, layer: name, ...changes });

const verdictsOf = (evidence: readonly Evidence[], total = 20): Record<string, string> =>
  Object.fromEntries(judge(evidence, total, 20).map((v) => [v.layer, v.verdict]));

describe('judge', () => {
  test('the layer that makes nearly all of the error is the culprit, those behind it are victims', () => {
    const evidence = [
      layer('before', { accumulated: 38 }),
      layer('bad', { only: 18, without: 29, local: 16, accumulated: 15, incoming: 38 }),
      layer('after', { accumulated: 14, incoming: 15 }),
    ];
    assert.deepEqual(verdictsOf(evidence), { before: 'harmless', bad: 'culprit', after: 'victim' });
  });

  test('shares are powers, so 10 dB are ten times as much', () => {
    const [a, b] = judge([layer('a', { only: 20 }), layer('b', { only: 30 })], 20, 20);
    assert.ok(Math.abs(a!.share - 1000 / 11) < 1e-9);
    assert.ok(Math.abs(b!.share - 100 / 11) < 1e-9);
  });

  test('many layers with equal shares are no culprits', () => {
    const evidence = Array.from({ length: 20 }, (_, i) => layer(`l${i}`, {}));
    assert.ok(judge(evidence, 20, 20).every(({ verdict }) => verdict === 'harmless'));
  });

  test('a layer whose error cancels downstream is bad alone and yet no culprit', () => {
    const evidence = [
      ...Array.from({ length: 9 }, (_, i) => layer(`l${i}`, {})),
      layer('cancelled', { local: 9, only: 60, accumulated: 25, incoming: 40 }),
    ];
    const found = judge(evidence, 29, 20).find((v) => v.layer === 'cancelled');
    assert.equal(found?.verdict, 'harmless');
    assert.equal(found.growth, -51);
  });

  test('what makes the error of others larger is an amplifier', () => {
    const evidence = [
      ...Array.from({ length: 9 }, (_, i) => layer(`l${i}`, {})),
      layer('difference', { local: 40, accumulated: 12, incoming: 30 }),
    ];
    assert.equal(verdictsOf(evidence)['difference'], 'amplifier');
  });

  test('without any error nothing is anybody’s', () => {
    const [only] = judge([layer('a', { only: null, without: null, local: null, accumulated: null })], 0, 20);
    assert.deepEqual([only?.verdict, only?.share, only?.growth], ['harmless', 0, null]);
  });

  test('the one to look at first comes first', () => {
    const evidence = [
      layer('victim', { accumulated: 10, incoming: 10.5 }),
      layer('bad', { only: 18 }),
      layer('worse', { only: 16 }),
      ...Array.from({ length: 9 }, (_, i) => layer(`l${i}`, { only: 50 })),
    ];
    const order = judge(evidence, 20, 20)
      .map((v) => ({ ...v, split: null, causes: [] }))
      .sort(byBlame);
    assert.deepEqual(
      order.slice(0, 3).map((v) => v.layer),
      ['worse', 'bad', 'victim'],
    );
  });
});
