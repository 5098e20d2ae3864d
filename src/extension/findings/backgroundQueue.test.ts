import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuantscopeError } from '../../shared/errors';
import { BackgroundQueue } from './backgroundQueue';

interface Task {
  readonly key: string;
  readonly name: string;
}

/** A queue whose tasks end when the test says so, with what happened to them in order. */
function queueOf() {
  const events: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const queue = new BackgroundQueue<Task>({
    run: ({ name }, signal) => {
      events.push(`begin ${name}`);
      return new Promise((resolve, reject) => {
        ends.set(name, (error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
        signal.addEventListener('abort', () => {
          events.push(`interrupt ${name}`);
          reject(new QuantscopeError('cancelled', ''));
        });
      });
    },
    failed: ({ name }, { code }) => events.push(`${name} ${code}`),
    changed: () => undefined,
  });
  const end = async (name: string, error?: Error): Promise<void> => {
    ends.get(name)!(error);
    await settled();
  };
  return { queue, events, end, left: () => queue.tasks.map(({ name }) => name) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const task = (name: string, key = name): Task => ({ key, name });

test('one at a time, the newest first, and none before the queue is released', async () => {
  const { queue, events, end, left } = queueOf();
  for (const name of ['a', 'b', 'c']) queue.add(task(name));
  assert.deepEqual(events, []);
  queue.release();
  assert.deepEqual(events, ['begin c']);
  await end('c');
  await end('b');
  assert.deepEqual(events, ['begin c', 'begin b', 'begin a']);
  assert.deepEqual(left(), ['a']);
});

test('released again, the newest goes before the one that runs, which is begun again', async () => {
  const { queue, events, end } = queueOf();
  queue.add(task('a'));
  queue.release();
  queue.add(task('b'));
  assert.deepEqual(events, ['begin a']);
  queue.release();
  await settled();
  queue.release();
  await end('b');
  assert.deepEqual(events, ['begin a', 'interrupt a', 'begin b', 'begin a']);
});

test('what a person starts goes first: the task is interrupted, kept, and begun again', async () => {
  const { queue, events, end, left } = queueOf();
  const first = task('a');
  queue.add(first);
  queue.release();
  queue.hold();
  assert.equal(queue.isRunning(first), false);
  await settled();
  queue.add(task('b'));
  assert.deepEqual(
    [events, left()],
    [
      ['begin a', 'interrupt a'],
      ['b', 'a'],
    ],
  );
  queue.release();
  await end('b');
  assert.deepEqual(events.slice(2), ['begin b', 'begin a']);
  assert.equal(queue.isRunning(first), true);
});

test('a short interruption, over before the task has let go, does not run it twice at once', async () => {
  const { queue, events } = queueOf();
  queue.add(task('a'));
  queue.release();
  queue.hold();
  queue.release();
  assert.deepEqual(events, ['begin a', 'interrupt a']);
  await settled();
  assert.deepEqual(events, ['begin a', 'interrupt a', 'begin a']);
});

test('a newer task about the same takes the place of the older one', async () => {
  const { queue, events, left } = queueOf();
  queue.add(task('old', 'net'));
  queue.release();
  queue.add(task('new', 'net'));
  await settled();
  assert.deepEqual([events, left()], [['begin old', 'interrupt old', 'begin new'], ['new']]);
});

test('a dropped task does not come back, and a failed one is told once', async () => {
  const { queue, events, end, left } = queueOf();
  queue.add(task('a'));
  queue.release();
  queue.add(task('b'));
  queue.drop(({ name }) => name === 'a');
  await settled();
  assert.deepEqual([events, left()], [['begin a', 'interrupt a', 'begin b'], ['b']]);
  await end('b', new QuantscopeError('data-empty', ''));
  assert.deepEqual([events.at(-1), left()], ['b data-empty', []]);
});
