import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QuantscopeError } from '../shared/errors';
import { parseLabels, readLabels } from './labels';

const refused = (text: string, pattern: RegExp): void => {
  assert.throws(
    () => parseLabels(text, 'labels.tsv'),
    (error: unknown) =>
      error instanceof QuantscopeError && error.code === 'labels-invalid' && pattern.test(error.message),
  );
};

describe('labels', () => {
  const labels = parseLabels(
    '\uFEFFa/1.png\t3\r\n\r\nb/1.png\t4\r\n./b\\2.png\t0\r\nwith space.png\t12\n',
    'labels.tsv',
  );

  test('matches by path, else by a file name that only one label has', () => {
    assert.deepEqual(
      ['a/1.png', 'b/1.png', 'b/2.png', '2.png', 'deep/in/2.png', 'with space.png'].map((id) => labels.find(id)),
      [3, 4, 0, 0, 0, 12],
    );
    assert.deepEqual(
      [labels.find('1.png'), labels.find('c/1.png'), labels.find('3.png')],
      [undefined, undefined, undefined],
    );
  });

  test('knows how many there are, the highest class, and what is missing', () => {
    assert.deepEqual([labels.count, labels.highest], [4, 12]);
    assert.deepEqual(labels.missing(['a/1.png', '2.png', 'other.png']), ['b/1.png', 'with space.png']);
  });

  test('lists every bad line', () => {
    refused('a.png\t1\nb.png 2\nc.png\t-1\nd.png\t1.5\n\t3\n', /line 2 .*line 3 .*line 4 .*line 5 /);
    refused('file\tclass\na.png\t1', /line 1 /);
    refused('a.png\t99999999999999999999', /line 1 /);
  });

  test('a file labelled twice is refused, even with the same class', () => {
    refused('a.png\t1\n./a.png\t1', /line 2 labels a\.png a second time/);
  });

  test('an empty file is refused, a missing one not found', async () => {
    refused('\n \n', /no labels/);
    await assert.rejects(readLabels('/nowhere/labels.tsv'), { code: 'file-not-found' });
  });
});
