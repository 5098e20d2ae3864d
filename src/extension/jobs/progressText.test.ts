import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STAGES } from '../../shared/progress';
import { percentDone, progressText, shortProgress } from './progressText';

test('a progress tells stage, count, rate and the time that is left', () => {
  const progress = { stage: 'calibrate', done: 34, total: 100, rate: 12.34, secondsLeft: 5.37 } as const;
  assert.equal(progressText(progress), 'Calibrating 34/100 · 12.3/s · 5.37 s left');
  assert.equal(shortProgress(progress), 'calibrating 34 %');
  assert.equal(progressText({ stage: 'calibrate', done: 0, total: 100, rate: 0 }), 'Calibrating 0/100');
  assert.equal(progressText({ stage: 'read', done: 0, total: 1 }), 'Reading the model');
});

test('the bar of a whole run goes forward through its stages to the end', () => {
  const bar = STAGES.flatMap((stage) => [0, 1, 2].map((done) => percentDone({ stage, done, total: 2 })));
  assert.deepEqual(
    bar,
    bar.toSorted((a, b) => a - b),
  );
  assert.equal(bar[0], 0);
  assert.ok(Math.abs(bar.at(-1)! - 100) < 1e-9);
});

test('the bar of a job of one stage is that stage alone', () => {
  assert.equal(percentDone({ stage: 'benchmark', done: 1, total: 4 }, 'benchmark'), 25);
  assert.equal(percentDone({ stage: 'read', done: 1, total: 1 }, 'benchmark'), 0);
});
