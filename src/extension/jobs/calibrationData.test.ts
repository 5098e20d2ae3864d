import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imageFolders, validationFor } from './calibrationData';

const images = (folder: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${index}.png`);

describe('folders of images', () => {
  test('are those that hold images, with their number', () => {
    assert.deepEqual(imageFolders([...images('/w/a', 3), ...images('/w/b/c', 2)]), [
      { path: '/w/a', images: 3 },
      { path: '/w/b/c', images: 2 },
    ]);
  });

  test('calibration comes first and what is kept back last, whatever their sizes', () => {
    const found = imageFolders([...images('/w/val', 9), ...images('/w/train', 5), ...images('/w/calibration', 1)]);
    assert.deepEqual(
      found.map(({ path }) => path),
      ['/w/calibration', '/w/train', '/w/val'],
    );
  });

  test('many side by side are classes of one', () => {
    const classes = Array.from({ length: 10 }, (_, index) => images(`/w/train/n0${index}`, 4)).flat();
    assert.deepEqual(imageFolders(classes), [{ path: '/w/train', images: 40 }]);
    const two = [...images('/w/images/cats', 4), ...images('/w/images/dogs', 4)];
    assert.deepEqual(
      imageFolders(two).map(({ path }) => path),
      ['/w/images/cats', '/w/images/dogs'],
    );
  });
});

describe('validation', () => {
  const folders = imageFolders([...images('/w/images/calibration', 2), ...images('/w/images/validation', 3)]);
  const labels = '/w/images/labels.tsv';

  test('is what is kept back, with labels in it or beside it', () => {
    const expected = { data: '/w/images/validation', labels };
    assert.deepEqual(validationFor('/w/images/calibration', folders, [labels]), expected);
    const inside = '/w/images/validation/labels.tsv';
    assert.deepEqual(validationFor('/w/images/calibration', folders, ['/w/labels.tsv', inside])?.labels, inside);
  });

  test('is never the data of the calibration, nor without labels', () => {
    assert.equal(validationFor('/w/images/validation', folders, [labels]), undefined);
    assert.equal(validationFor('/w/images/calibration', folders, ['/w/images/classes.tsv']), undefined);
  });
});
