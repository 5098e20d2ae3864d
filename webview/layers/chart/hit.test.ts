import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { layersFrom } from '../../fixtures/layers';
import { BRACKETS_AT, type Scene } from './draw';
import { layerAt, scopeAt } from './hit';
import { scaleDB, scaleX, wholeView } from './scale';
import { scopeLevels } from './scopes';

const layers = layersFrom(
  Array.from({ length: 20 }, (_, i) => ({ local: 40 - i, accumulated: 20, scope: i < 10 ? 'a' : 'b' })),
);

function sceneOf(change: Partial<Scene> = {}): Scene {
  const { local, accumulated } = layers;
  return {
    ...{ layers, local, accumulated, passing: null, threshold: 20, lane: 0 },
    view: wholeView(20),
    range: { low: 0, high: 40, exact: false },
    levels: scopeLevels(layers.scope),
    frame: { left: 40, right: 440, top: 10, bottom: 210 },
    palette: {} as Scene['palette'],
    ...change,
  };
}

test('every mark is hit where it is drawn, whatever part is in view', () => {
  for (const view of [wholeView(20), [3.5, 9.5]] as const) {
    const scene = sceneOf({ view });
    const [x, y] = [scaleX(view, scene.frame), scaleDB(scene.range, scene.frame)];
    for (let layer = Math.max(0, Math.ceil(view[0])); layer <= Math.floor(view[1]); layer += 1) {
      assert.equal(layerAt(scene, x(layer), y(layers.local[layer]!)), layer);
    }
  }
});

test('nothing is hit beside the plot or below it', () => {
  const scene = sceneOf();
  assert.equal(layerAt(scene, 0, 100), undefined);
  assert.equal(layerAt(scene, 100, 210 + BRACKETS_AT + 1), undefined);
});

test('a bracket is hit below the plot, and below what stands between', () => {
  for (const lane of [0, 52]) {
    const scene = sceneOf({ lane });
    const foot = 210 + lane + BRACKETS_AT + 4;
    assert.equal(scopeAt(scene, 100, foot)?.label, 'a');
    assert.equal(scopeAt(scene, 400, foot)?.label, 'b');
    assert.equal(scopeAt(scene, 100, 210), undefined);
    assert.equal(layerAt(scene, 100, foot), undefined);
  }
  assert.notEqual(layerAt(sceneOf({ lane: 52 }), 100, 240), undefined, 'the bars of the lane are layers too');
});
