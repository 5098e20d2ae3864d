import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loweringWarnings } from './report';

describe('what is said of the int8 kernels of pt2e', () => {
  const said = (agreement: number | null, saturates = false): string =>
    loweringWarnings({ problem: null, agreement }, saturates).join();

  test('nothing in the other modes', () => {
    assert.deepEqual(loweringWarnings(undefined, true), []);
  });

  test('how well they agree with the graph', () => {
    assert.match(said(null), /agree with it to the bit on one sample\.$/);
    assert.match(said(52.34, true), /agree with it to 52\.3 dB on one sample\.$/);
  });

  test('what to do where they do not', () => {
    assert.match(said(12, true), /to 12\.0 dB.*overflow on this CPU: set `weights: \{ reduceRange: true \}`\.$/);
    assert.match(said(12, false), /to 12\.0 dB.*The errors told here are those of the graph\.$/);
  });

  test('that they could not be made', () => {
    assert.match(loweringWarnings({ problem: 'no oneDNN', agreement: null }, true).join(), /failed here: no oneDNN\./);
  });
});
