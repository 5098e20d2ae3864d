import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VERDICTS, type Verdict } from '../../src/shared/verdicts';
import { layersFrom, type Row } from '../fixtures/layers';
import { arrange, changeOf, SORT_KEYS, STATUSES } from './order';

const ALL = { text: '', statuses: STATUSES };

const decibels = fc.oneof(
  fc.double({ min: -10, max: 60, noNaN: true }),
  fc.constant('exact' as const),
  fc.constant(null),
);
const time = fc.option(fc.double({ min: 0, max: 100, noNaN: true }));
const row: fc.Arbitrary<Row> = fc.record({
  name: fc.constantFrom('conv1', 'conv2', 'conv10', 'relu', 'Add'),
  status: fc.constantFrom(...STATUSES),
  local: decibels,
  accumulated: decibels,
  ...{ fp32: time, int8: time, macs: fc.nat(100) },
  verdict: fc.constantFrom<Verdict | null>(...VERDICTS, null),
  share: fc.double({ min: 0, max: 100, noNaN: true }),
  base: fc.record({ local: decibels, accumulated: decibels }),
});

describe('the rows of the table', () => {
  test('are all layers, each once, by any column in both directions', () => {
    const keys = fc.constantFrom(...SORT_KEYS);
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), keys, fc.boolean(), (rows, key, descending) => {
        const order = arrange(layersFrom(rows), ALL, { key, descending });
        assert.deepEqual(
          order.toSorted((a, b) => a - b),
          [...rows.keys()],
        );
      }),
    );
  });

  test('have what was not measured last, either way', () => {
    const layers = layersFrom([{ local: null }, { local: 30 }, { local: 'exact' }, { local: 10 }, { local: null }]);
    assert.deepEqual(arrange(layers, ALL, { key: 'local', descending: false }), [3, 1, 2, 0, 4]);
    assert.deepEqual(arrange(layers, ALL, { key: 'local', descending: true }), [2, 1, 3, 0, 4]);
  });

  test('count in names as people do', () => {
    const layers = layersFrom([{ name: 'conv10' }, { name: 'conv9' }, { name: 'conv1' }]);
    assert.deepEqual(arrange(layers, ALL, { key: 'name', descending: false }), [2, 1, 0]);
  });

  test('put culprits first, the larger share before the smaller', () => {
    const layers = layersFrom([
      { verdict: null },
      { verdict: 'harmless', share: 3 },
      { verdict: 'culprit', share: 30 },
      { verdict: 'victim', share: 1 },
      { verdict: 'culprit', share: 60 },
    ]);
    assert.deepEqual(arrange(layers, ALL, { key: 'verdict', descending: false }), [4, 2, 3, 1, 0]);
    assert.deepEqual(arrange(layers, ALL, { key: 'share', descending: true }), [4, 2, 1, 3, 0]);
  });
});

test('the filter takes words of name, operator and kernel in any order and case', () => {
  const layers = layersFrom([
    { name: 'stage1/conv', op: 'Conv+Relu' },
    { name: 'stage2/conv', op: 'Conv', kernel: null, status: 'float' },
    { name: 'stage1/add', op: 'Add', kernel: 'QLinearAdd' },
  ]);
  const shown = (text: string, statuses = STATUSES as readonly (typeof STATUSES)[number][]): number[] =>
    arrange(layers, { text, statuses }, { key: 'graph', descending: false });
  assert.deepEqual(shown('STAGE1'), [0, 2]);
  assert.deepEqual(shown('relu stage1'), [0]);
  assert.deepEqual(shown('  qlinearadd '), [2]);
  assert.deepEqual(shown('(.*'), [], 'words, not patterns');
  assert.deepEqual(shown('', ['float']), [1]);
  assert.deepEqual(shown('', []), []);
});

test('a change needs both runs; two exact ones have not changed', () => {
  const layers = layersFrom([
    { local: 30, base: { local: 12.5 } },
    { local: 'exact', base: { local: 'exact' } },
    { local: 'exact', base: { local: 20 } },
    { local: 30, base: {} },
  ]);
  assert.equal(changeOf(layers, 'local', 0), 17.5);
  assert.equal(changeOf(layers, 'local', 1), 0);
  assert.equal(changeOf(layers, 'local', 2), Infinity);
  assert.ok(Number.isNaN(changeOf(layers, 'local', 3)));
  assert.ok(Number.isNaN(changeOf(layersFrom([{ local: 1 }]), 'local', 0)));
});
