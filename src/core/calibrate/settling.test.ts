import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Settling } from './settling';
import type { Measured } from './sink';

const sample = (...values: number[]): Measured => [['x', Float32Array.from(values)]];

/** After how many samples it stops; `undefined` where it does not within 200. */
function stopsAt(settling: Settling, valueOf: (index: number) => number): number | undefined {
  for (let i = 0; i < 200; i++) if (settling.observe(sample(valueOf(i)))) return i + 1;
  return undefined;
}

describe('calibration has seen enough', () => {
  test('once the second half of the samples widens no range', () => {
    assert.equal(
      stopsAt(new Settling(0.01), () => 1),
      32,
    );
    assert.equal(
      stopsAt(new Settling(0.01), (i) => Math.min(i, 40)),
      128,
    );
  });

  test('never while a range keeps growing, in either direction', () => {
    assert.equal(
      stopsAt(new Settling(0.01), (i) => i),
      undefined,
    );
    assert.equal(
      stopsAt(new Settling(0.01), (i) => -i),
      undefined,
    );
  });

  test('only when every tensor has settled', () => {
    const settling = new Settling(0.01);
    let stopped = false;
    for (let i = 0; i < 200; i++) {
      const both: Measured = [...sample(1), ['y', Float32Array.of(i)]];
      stopped ||= settling.observe(both);
    }
    assert.equal(stopped, false);
  });

  test('what is not a number widens nothing', () => {
    assert.equal(
      stopsAt(new Settling(0.01), (i) => (i === 20 ? Infinity : i === 25 ? NaN : 1)),
      32,
    );
  });
});
