import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyCommand, move, PAGE, type Place } from './keyboard';

const press = (key: string, place: Place, shift = false) => keyCommand({ key, shift, modified: false }, place);

test('arrows go along the graph to the sides and through the table up and down', () => {
  for (const place of ['chart', 'table'] as const) {
    assert.deepEqual(press('ArrowRight', place), { do: 'step', by: 1 });
    assert.deepEqual(press('ArrowUp', place), { do: 'row', by: -1 });
    assert.deepEqual(press('PageDown', place), { do: 'row', by: PAGE });
    assert.deepEqual(press('Enter', place), { do: 'open' });
    assert.equal(press('ArrowLeft', place, true)?.do, 'pan');
  }
});

test('elsewhere arrows scroll, and only what means the whole view is taken', () => {
  assert.equal(press('ArrowDown', 'other'), undefined);
  assert.equal(press('Enter', 'other'), undefined, 'a button is pressed by it');
  assert.deepEqual(press('/', 'other'), { do: 'search' });
  assert.deepEqual(press('0', 'other'), { do: 'fit' });
});

test('what is typed into a field stays there', () => {
  for (const key of ['/', '0', '+', '-', ' ', 'a', 'ArrowLeft']) assert.equal(press(key, 'text'), undefined);
  assert.deepEqual(press('Escape', 'text'), { do: 'escape' });
  assert.deepEqual(press('ArrowDown', 'text'), { do: 'row', by: 0 });
});

test("the editor's own shortcuts and names of every object are not ours", () => {
  assert.equal(keyCommand({ key: '0', shift: false, modified: true }, 'chart'), undefined);
  for (const key of ['constructor', 'toString', '__proto__']) assert.equal(press(key, 'chart'), undefined);
});

test('moving stays inside of the list, and starts at its first', () => {
  const list = [7, 3, 9];
  assert.equal(move(list, 7, 1), 3);
  assert.equal(move(list, 9, 5), 9);
  assert.equal(move(list, 3, -5), 7);
  assert.equal(move(list, null, 1), 7);
  assert.equal(move(list, 42, 1), 7, 'what the filter hides is left behind');
  assert.equal(move([], 7, 1), null);
});
