import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { divergence, likelier } from './preprocessing';

describe('is the preprocessing that of the training', () => {
  test('the divergence of normal distributions, by hand', () => {
    const trained = { mean: [1, 0], variance: [4, 1] };
    assert.equal(divergence(trained, trained), 0);
    // One standard deviation off in one of two channels: ½ · ½.
    assert.equal(divergence({ mean: [3, 0], variance: [4, 1] }, trained), 0.25);
    // Twice the standard deviation in one of two channels: ½ · ½ · (4 − 1 − ln 4).
    const wide = divergence({ mean: [1, 0], variance: [4, 4] }, trained);
    assert.ok(Math.abs(wide - (3 - Math.log(4)) / 4) < 1e-12);
  });

  test('another one is believed only where this one is strange and that one much nearer', () => {
    assert.equal(likelier([2, 1.5, 0.1, 0.3]), 2);
    assert.equal(likelier([0.05, 0.001]), undefined);
    assert.equal(likelier([2, 1.5]), undefined);
    assert.equal(likelier([2]), undefined);
    // Better by far, and still nothing that the model can have seen.
    assert.equal(likelier([1e6, 50]), undefined);
  });
});
