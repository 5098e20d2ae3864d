/** Samples that cannot be read are counted where they were to be read, and nowhere else. */

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { MODES } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import { quantize } from './quantize';

const SAMPLES = path.join(__dirname, '../../../samples');
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-skipped-'));
after(() => rmSync(folder, { recursive: true }));

copyFileSync(path.join(SAMPLES, 'shapes.onnx'), path.join(folder, 'shapes.onnx'));
const images = path.join(SAMPLES, 'images/calibration');
for (const [name, broken] of [
  ['calibration', 'broken.png'],
  ['validation', 'damaged.png'],
] as const) {
  mkdirSync(path.join(folder, name));
  for (const image of readdirSync(images).slice(0, 3)) {
    copyFileSync(path.join(images, image), path.join(folder, name, image));
  }
  writeFileSync(path.join(folder, name, broken), 'no image');
}
symlinkSync('nowhere.png', path.join(folder, 'calibration/dangling.png'));

describe('samples that cannot be read', () => {
  for (const mode of MODES) {
    test(mode, async () => {
      const recipe = { model: 'shapes.onnx', mode, calibration: { data: 'calibration' }, preprocess: 'tf' } as const;
      const { calibration } = await quantize({ recipe, baseDir: folder });
      assert.equal(calibration?.samples, 3);
      assert.deepEqual(
        calibration.skipped.map(({ item }) => item),
        ['broken.png', 'dangling.png'],
      );
    });
  }

  test('those of the validation are told as such', async () => {
    const recipe = {
      ...({ model: 'shapes.onnx', calibration: { data: 'calibration' }, preprocess: 'tf' } as const),
      validate: { data: 'validation' },
    };
    const { calibration, warnings } = await quantize({ recipe, baseDir: folder, outDir: 'fresh' });
    assert.deepEqual(
      calibration?.skipped.map(({ item }) => item),
      ['broken.png', 'dangling.png'],
    );
    assert.match(warnings.join('\n'), /1 validation sample could not be read, such as damaged\.png: /);
  });

  test('those of a calibration from the cache are told as when it was made', async () => {
    const settings = { calibration: { data: 'calibration' }, preprocess: 'tf' } as const;
    const recipe = { model: 'shapes.onnx', ...settings, validate: { data: 'calibration/00*.png' } };
    const run = (): Promise<Report> => quantize({ recipe, baseDir: folder, outDir: 'cached' });
    const [made, again] = [(await run()).calibration, (await run()).calibration];
    assert.deepEqual([made?.cached, again?.cached], [false, true]);
    assert.deepEqual([again?.samples, again?.skipped.length], [3, 2]);
    assert.deepEqual(again?.skipped, made?.skipped);
  });
});
