import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { layersFrom } from '../fixtures/layers';
import { columnsFor, speedTone, templateOf, tone } from './tableColumns';

const plain = layersFrom([{ local: 12, accumulated: 9, fp32: 4, int8: 2, macs: 1_000 }]);
const full = layersFrom([
  { local: 12, accumulated: 9, fp32: 4, int8: 5, verdict: 'culprit', share: 84.5, base: { local: 10, accumulated: 9 } },
  { local: 'exact', verdict: null, base: {} },
]);
const keys = (layers: typeof plain, width: number): string[] => columnsFor(layers, width).map(({ key }) => key);

describe('columns', () => {
  test('of what nobody has asked for, or has nothing to compare with, are not there', () => {
    const shown = keys(plain, 5_000);
    for (const key of ['verdict', 'share', 'localChange', 'accumulatedChange']) assert.ok(!shown.includes(key), key);
    for (const key of ['verdict', 'share', 'localChange', 'ratio']) assert.ok(keys(full, 5_000).includes(key), key);
  });

  test('fit into the width, as long as what identifies a layer does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000 }), fc.boolean(), (width, asked) => {
        const columns = columnsFor(asked ? full : plain, width);
        const needed = columns.reduce((sum, column) => sum + column.width, 0);
        const least = keys(plain, 0);
        assert.ok(needed <= width || columns.length === least.length);
        for (const key of ['status', 'name', 'local']) assert.ok(columns.some((column) => column.key === key));
      }),
    );
  });

  test('never come back where it gets narrower', () => {
    let before = keys(full, 3_000);
    for (let width = 3_000; width >= 0; width -= 20) {
      const now = keys(full, width);
      assert.ok(now.every((key) => before.includes(key)));
      before = now;
    }
  });

  test('keep their verdict longer than times and operators', () => {
    const order = ['macs', 'fp32', 'ratio', 'op', 'int8', 'accumulated', 'verdict', 'share'];
    const gone = order.map((key) => {
      let width = 3_000;
      while (keys(full, width).includes(key)) width -= 10;
      return width;
    });
    assert.deepEqual(
      gone,
      gone.toSorted((a, b) => b - a),
      order.join(' '),
    );
  });

  test('share the room that is left by weight', () => {
    assert.match(templateOf(columnsFor(plain, 5_000)), /^28px minmax\(150px, 1fr\) minmax\(84px, 0\.45fr\) /);
  });
});

describe('cells', () => {
  const cell = (key: string, layer: number) =>
    columnsFor(full, 5_000)
      .find((column) => column.key === key)!
      .cell(full, layer, 20);

  test('say numbers to three digits and nothing where nothing was measured', () => {
    assert.equal(cell('local', 0).text, '12.0');
    assert.equal(cell('local', 1).text, 'exact');
    assert.equal(cell('accumulated', 1).text, '–');
    assert.equal(cell('localChange', 0).text, '+2.0');
    assert.equal(cell('ratio', 0).text, '0.800×');
  });

  test('mark what is to be acted on', () => {
    assert.equal(cell('local', 0).tone, 'problem');
    assert.equal(cell('local', 1).tone, undefined);
    assert.equal(cell('ratio', 0).tone, 'worse');
    assert.deepEqual(cell('verdict', 0).sign, { symbol: '●', className: 'culprit' });
    assert.equal(cell('share', 0).bar, 0.845);
    assert.deepEqual(cell('verdict', 1), { text: '' });
  });
});

test('a change that may be chance has no colour', () => {
  assert.deepEqual([0.4, -0.4, 0.6, -0.6, NaN].map(tone), ['same', 'same', 'better', 'worse', 'same']);
  assert.deepEqual([1.05, 1.2, 0.8, NaN].map(speedTone), ['same', 'better', 'worse', 'same']);
});
