import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QuantscopeError } from './errors';
import { fromResponse, helloMismatch, isAnswer } from './protocol';

describe('hello', () => {
  const self = { protocol: 1, version: '1.2.0' };

  test('only the same protocol of the same version matches', () => {
    assert.equal(helloMismatch(self, { ...self }), undefined);
    assert.match(helloMismatch(self, { ...self, protocol: 2 }) ?? '', /protocol 1.*protocol 2/);
    assert.match(helloMismatch(self, { ...self, version: '1.3.0' }) ?? '', /1\.2\.0.*1\.3\.0/);
  });
});

describe('errors', () => {
  test('an answer keeps its code, message and hint', () => {
    const data = { code: 'data-empty', message: 'None.', hint: 'Some.' } as const;
    const answer = Object.assign(new Error('None.'), { data });
    assert.ok(isAnswer(answer));
    assert.deepEqual(fromResponse(answer).toData(), data);
  });

  test('anything else is internal: a code of another version, no data, no error', () => {
    const foreign = Object.assign(new Error('x'), { data: { code: 'not-ours', message: 'x', hint: 'y' } });
    for (const error of [foreign, new Error('closed'), 'text', null, { data: null }]) {
      assert.equal(isAnswer(error), false);
      const known = fromResponse(error);
      assert.ok(known instanceof QuantscopeError);
      assert.equal(known.code, 'internal');
    }
  });
});
