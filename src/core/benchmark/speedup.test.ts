import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { speedVerdict } from '../../shared/speed';
import { random } from './bootstrap';
import { speedup } from './speedup';
import { median } from './statistics';

/** Times of rounds: a base, spread by noise, on a machine that slows down for whole rounds. */
function rounds(count: number, seed: number, spread: number): { machine: number[]; noise: () => number } {
  const next = random(seed);
  return {
    machine: Array.from({ length: count }, () => (next() < 0.2 ? 3 : 1)),
    noise: () => 1 + spread * (next() - 0.5),
  };
}

describe('how many times as fast one is as the other', () => {
  test('the ratio is that of the two medians, and lies in the interval', () => {
    const times = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(times, fc.nat(1000), (first, seed) => {
        const next = random(seed);
        const other = first.map((time) => time * (0.5 + next()));
        const { ratio, interval } = speedup(first, other);
        assert.equal(ratio, median(first) / median(other));
        assert.ok(interval!.low < ratio && ratio < interval!.high);
      }),
      { numRuns: 30 },
    );
  });

  test('twice as fast is told on a machine that slows down for rounds, one and the same model is not', () => {
    const told = { faster: 0, slower: 0, same: 0 };
    for (let seed = 1; seed <= 40; seed++) {
      const { machine, noise } = rounds(50, seed, 0.2);
      const first = machine.map((slow) => slow * noise());
      told[
        speedVerdict(
          speedup(
            first,
            machine.map((slow) => slow * noise()),
          ),
        )
      ]++;
      assert.equal(
        speedVerdict(
          speedup(
            first,
            machine.map((slow) => 0.5 * slow * noise()),
          ),
        ),
        'faster',
      );
      assert.equal(
        speedVerdict(
          speedup(
            first,
            machine.map((slow) => 2 * slow * noise()),
          ),
        ),
        'slower',
      );
    }
    assert.ok(told.same >= 38, JSON.stringify(told));
  });

  test('a single round tells little', () => {
    assert.equal(speedVerdict(speedup([1.2], [1])), 'same');
  });
});
