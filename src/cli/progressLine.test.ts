import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeProgress, progressLine } from './progressLine';

function recorder(
  isTTY: boolean,
  columns = 80,
): { written: string[]; isTTY: boolean; columns: number; write: (text: string) => void } {
  const written: string[] = [];
  return { written, isTTY, columns, write: (text) => written.push(text) };
}

describe('progress line', () => {
  test('says stage, count, rate and time left', () => {
    const text = describeProgress({ stage: 'calibrate', done: 34, total: 100, rate: 12.34, secondsLeft: 5.35 });
    assert.equal(text, 'calibrate  34/100  12.3/s  5.35 s left');
    assert.equal(describeProgress({ stage: 'read', done: 0, total: 0, message: 'a\nb' }), 'read  a\\u000ab');
  });

  test('writes nothing where the output is no terminal', () => {
    const output = recorder(false);
    const line = progressLine(output);
    line.show({ stage: 'calibrate', done: 1, total: 2 });
    line.clear();
    assert.deepEqual(output.written, []);
  });

  test('stays on one line, redraws not too often but at every new stage, and goes away', () => {
    const output = recorder(true, 12);
    let time = 0;
    const line = progressLine(output, () => time);
    for (time of [0, 10, 90, 150]) line.show({ stage: 'calibrate', done: time, total: 150 });
    line.show({ stage: 'verify', done: 0, total: 1 });
    line.clear();
    line.clear();
    const erase = '\r\u001b[2K';
    assert.deepEqual(output.written, [`${erase}calibrate  `, `${erase}calibrate  `, `${erase}verify  0/1`, erase]);
  });
});
