import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { JobQueue } from './queue';

const never = new AbortController().signal;
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('queue', () => {
  test('one at a time, in order, whatever becomes of each', async () => {
    const queue = new JobQueue();
    const events: string[] = [];
    let running = 0;
    const jobs = ['a', 'b', 'c', 'd'].map((name) =>
      queue.add(async () => {
        assert.equal(++running, 1);
        events.push(name);
        await tick();
        running--;
        if (name === 'b') throw new TypeError('broken');
        return name.toUpperCase();
      }, never),
    );
    const results = await Promise.allSettled(jobs);
    assert.deepEqual(events, ['a', 'b', 'c', 'd']);
    assert.deepEqual(
      results.map((result) =>
        result.status === 'fulfilled' ? result.value : (result.reason as { code: string }).code,
      ),
      ['A', 'internal', 'C', 'D'],
    );
  });

  test('a waiting job is cancelled at once and never runs', async () => {
    const queue = new JobQueue();
    const controller = new AbortController();
    let finish: () => void = () => undefined;
    const first = queue.add(() => new Promise<void>((resolve) => (finish = resolve)), never);
    let ran = false;
    const second = queue.add(async () => {
      ran = true;
    }, controller.signal);
    await tick();
    controller.abort();
    await assert.rejects(second, { code: 'cancelled' });
    finish();
    await first;
    await tick();
    assert.equal(ran, false);
  });

  test('the signal of a running job is the job’s own affair', async () => {
    const queue = new JobQueue();
    const controller = new AbortController();
    const job = queue.add(async () => {
      await tick();
      controller.abort();
      return 1;
    }, controller.signal);
    assert.equal(await job, 1);
    await assert.rejects(
      queue.add(async () => 2, controller.signal),
      { code: 'cancelled' },
    );
  });

  test('clear cancels all that wait', async () => {
    const queue = new JobQueue();
    const jobs = [1, 2, 3].map((n) => queue.add(async () => n, never));
    queue.clear();
    const results = await Promise.allSettled(jobs);
    assert.ok(results.every(({ status }) => status === 'rejected'));
    assert.equal(await queue.add(async () => 4, never), 4);
  });
});
