import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInPackage, loaderFile, loaderOf } from './torchLoader';

test('a loader is a name in Python, and no path, glob or drive is one', () => {
  for (const loader of [
    'data.py:loader',
    '../train/data.py:loader',
    'C:\\work\\data.py:loader',
    'project.data:loader',
  ]) {
    assert.equal(loaderOf(loader), loader);
    assert.equal(loaderOf([loader]), loader);
  }
  for (const files of ['images', 'data/*.npz', 'C:\\images', 'C:/images', 'synthetic', 'data.py', './a:b']) {
    assert.equal(loaderOf(files), undefined, files);
  }
  assert.equal(loaderOf(['data.py:loader', 'data.py:other']), undefined);
  assert.equal(loaderFile('../train/data.py:loader'), '../train/data.py');
  assert.equal(loaderFile('images'), 'images');
  assert.ok(isInPackage('project.data:loader') && !isInPackage('data.py:loader'));
});
