import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toQuantscopeError } from './errors';

test('an array that is too large is a want of memory, any other RangeError a fault of ours', () => {
  const thrownBy = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      return toQuantscopeError(error).code;
    }
    return 'nothing';
  };
  assert.equal(
    thrownBy(() => new Float32Array(Number.MAX_SAFE_INTEGER)),
    'out-of-memory',
  );
  assert.equal(
    thrownBy(() => new Float32Array(2 ** 46)),
    'out-of-memory',
  );
  assert.equal(
    thrownBy(() => (1).toFixed(101)),
    'internal',
  );
});
