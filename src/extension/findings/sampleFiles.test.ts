import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleFiles } from './sampleFiles';

test('a sample lies below the folder that is named, wherever the recipe is', () => {
  assert.deepEqual(sampleFiles('images/calibration', '/w', 'cat/1.png'), ['/w/images/calibration/cat/1.png']);
  assert.deepEqual(sampleFiles('../data', '/w/net', '1.png'), ['/w/data/1.png']);
});

test('of several sources any may hold it', () => {
  assert.deepEqual(sampleFiles(['a', 'b'], '/w', '1.png'), ['/w/a/1.png', '/w/b/1.png']);
});

test('of a glob, below its part without special characters', () => {
  assert.deepEqual(sampleFiles('images/*/good/*.png', '/w', 'cat/good/1.png'), ['/w/images/cat/good/1.png']);
  assert.deepEqual(sampleFiles('*.npz', '/w', 'many.npz#12'), ['/w/many.npz']);
});

test('a file that is named itself, and one told by its whole path', () => {
  assert.equal(sampleFiles('data/many.npz', '/w', 'many.npz#0')[0], '/w/data/many.npz');
  assert.equal(sampleFiles(['a', 'b'], '/w', '/elsewhere/1.png')[0], '/elsewhere/1.png');
  assert.equal(sampleFiles(['a', 'b'], '/w', 'c:/elsewhere/1.png')[0], 'c:/elsewhere/1.png');
});
