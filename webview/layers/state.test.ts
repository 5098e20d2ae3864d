import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { layersFrom } from '../fixtures/layers';
import { createStore, passing, readKept, shownLayer, sortedBy, withLayers, type AppState } from './state';

// The store asks for frames, of which Node has none.
globalThis.requestAnimationFrame = (run) => {
  run(0);
  return 0;
};

const stateOf = (change: Partial<AppState>): AppState => ({ ...createStore({}, () => undefined).state, ...change });

describe('what was kept', () => {
  test('comes back through JSON as it was', () => {
    const kept = {
      ...{ selected: 'conv1', zoom: [3.5, 9.5], scroll: 220, logCounts: false },
      filter: { text: 'conv', statuses: ['float'] },
      sort: { key: 'macs', descending: true },
    };
    const source = { target: 'file:///net.onnx', base: null };
    assert.deepEqual(readKept(JSON.parse(JSON.stringify({ source, ...kept }))), kept);
  });

  test('is taken as far as it still means something, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        createStore(readKept(value), () => undefined);
      }),
    );
    assert.deepEqual(readKept({ sort: { key: 'gone' }, zoom: [5, 3], selected: 7, scroll: -1 }), {});
    assert.deepEqual(readKept({ filter: { text: '', statuses: ['float', 'gone'] } }).filter?.statuses, ['float']);
  });
});

describe('other layers', () => {
  const before = layersFrom([{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'd' }, { name: 'e' }]);
  const after = layersFrom([{ name: 'e' }, { name: 'b' }]);

  test('keep the same layer selected, by its name', () => {
    const state = stateOf({ layers: before, pinned: 4, cursor: 1 });
    const change = withLayers(state, after, 'r', 'e');
    assert.equal(change.pinned, 0);
    assert.equal(change.cursor, 1);
    assert.equal(withLayers(state, after, 'r', 'gone').pinned, null);
  });

  test('of the same number keep the view, of another show all', () => {
    const state = stateOf({ layers: before, zoom: [-0.5, 3.5] });
    assert.deepEqual(withLayers(state, before, 'r', null).zoom, [-0.5, 3.5]);
    assert.equal(withLayers(state, after, 'r', null).zoom, null);
  });
});

test('what is pinned is shown before what is pointed at', () => {
  assert.equal(shownLayer({ pinned: 3, cursor: 5 }), 3);
  assert.equal(shownLayer({ pinned: null, cursor: 5 }), 5);
});

test('a second click on a head turns the order round; the first shows what one looks for', () => {
  assert.deepEqual(sortedBy({ key: 'local', descending: false }, 'local'), { key: 'local', descending: true });
  assert.deepEqual(sortedBy({ key: 'local', descending: false }, 'int8'), { key: 'int8', descending: true });
  assert.deepEqual(sortedBy({ key: 'int8', descending: true }, 'name'), { key: 'name', descending: false });
});

test('the chart dims only what a filter hides', () => {
  const layers = layersFrom([{}, {}, {}]);
  assert.equal(passing({ layers, order: [2, 1, 0] }), null);
  assert.deepEqual(passing({ layers, order: [2] }), new Set([2]));
});
