import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import { folder, quantize, reason } from '../../test/helpers/torchModes';
import type { Recipe } from '../shared/recipe';

describe('samples that cannot be read', { skip: reason }, () => {
  before(() => {
    const images = path.join(folder, 'images/calibration');
    for (const [name, broken] of [
      ['few', 'broken.png'],
      ['others', 'damaged.png'],
    ] as const) {
      mkdirSync(path.join(folder, name));
      for (const image of readdirSync(images).slice(0, 3))
        copyFileSync(path.join(images, image), path.join(folder, name, image));
      writeFileSync(path.join(folder, name, broken), 'no image');
    }
  });

  const COMMON: Partial<Recipe> = {
    calibration: { data: 'few' },
    preprocess: 'tf',
    torch: { inputs: [['batch', 3, 48, 48]] },
  };

  test("those of the validation are told as such, and not among the calibration's", async () => {
    const { calibration, warnings } = await quantize('plain', 'static', 'few', {
      ...COMMON,
      validate: { data: 'others' },
    });
    assert.equal(calibration?.samples, 3);
    assert.deepEqual(
      calibration.skipped.map(({ item }) => item),
      ['broken.png'],
    );
    assert.match(warnings.join('\n'), /1 validation sample could not be read, such as damaged\.png: /u);
  });

  test("without a validation the calibration's are told once", async () => {
    const { calibration, warnings } = await quantize('plain', 'static', 'few', COMMON);
    assert.deepEqual(
      calibration?.skipped.map(({ item }) => item),
      ['broken.png'],
    );
    assert.doesNotMatch(warnings.join('\n'), /could not be read/u);
  });
});
