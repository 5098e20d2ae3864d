import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from './store';

function storeOf() {
  const scheduled: (() => void)[] = [];
  const store = new Store({ a: 1, b: 'x' }, (run) => scheduled.push(run));
  const frame = (): void => {
    for (const run of scheduled.splice(0)) run();
  };
  return { store, frame, scheduled };
}

test('listeners are told once a frame, of all that has changed since', () => {
  const { store, frame, scheduled } = storeOf();
  const told: unknown[] = [];
  store.on(['a'], (state, former) => told.push([former.a, state.a, state.b]));
  store.update({ a: 2 });
  store.update({ a: 3, b: 'y' });
  assert.equal(scheduled.length, 1);
  assert.deepEqual(told, []);
  frame();
  assert.deepEqual(told, [[1, 3, 'y']]);
});

test('other keys and equal values tell nobody', () => {
  const { store, frame, scheduled } = storeOf();
  const told: unknown[] = [];
  store.on(['a'], (state) => told.push(state.a));
  store.update({ a: 1 });
  assert.equal(scheduled.length, 0);
  store.update({ b: 'y' });
  frame();
  assert.deepEqual(told, []);
});

test('a listener may change the state; that is told in the next frame', () => {
  const { store, frame } = storeOf();
  const told: string[] = [];
  store.on(['a'], ({ a }) => store.update({ b: `b${a}` }));
  store.on(['b'], ({ b }) => told.push(b));
  store.update({ a: 2 });
  frame();
  assert.deepEqual(told, []);
  frame();
  assert.deepEqual(told, ['b2']);
});
