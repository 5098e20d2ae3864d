import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import type { ObserverId, Recipe } from '../../shared/recipe';
import { openDataset } from '../data/dataset';
import { calibrate, sameMeasurement, type Calibration } from './calibration';
import { prepare } from './prepare';

const SAMPLES = path.resolve('samples');
const COUNT = 48;

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-calibration-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function measure(observer: ObserverId, outDir: string): Promise<Calibration> {
  const preprocess = { std: 255 };
  const data = path.join(SAMPLES, 'images/calibration');
  const recipe: Recipe = {
    model: path.join(SAMPLES, 'shapes.onnx'),
    backend: 'ort-cpu',
    preprocess,
    calibration: { data, observer },
  };
  const prepared = await prepare(recipe, SAMPLES, {});
  const dataset = await openDataset(data, prepared.inputs, { baseDir: SAMPLES, preprocess, samples: COUNT });
  return calibrate(prepared, dataset, recipe, path.join(folder, outDir), {});
}

test('min-max reads extremes out of the model, and finds what counting every value finds', async () => {
  const [counted, quick] = [await measure('mse', 'mse'), await measure('min-max', 'min-max')];
  assert.ok(sameMeasurement(counted.key, quick.key));
  assert.deepEqual([...quick.stats.keys()], [...counted.stats.keys()]);
  for (const [name, stats] of counted.stats) {
    const found = quick.stats.get(name)!;
    for (const key of ['samples', 'min', 'max', 'minSample', 'maxSample', 'movingMin', 'movingMax'] as const)
      assert.equal(found[key], stats[key], `${name}.${key}`);
    assert.deepEqual([stats.countedSamples, found.countedSamples], [COUNT, 16]);
  }
  assert.deepEqual(quick.means, counted.means);
});

test('extremes do not do for an observer that reads the histogram, but the other way round', async () => {
  await measure('min-max', 'both');
  assert.equal((await measure('min-max', 'both')).cached, true);
  assert.equal((await measure('percentile', 'both')).cached, false);
  const again = await measure('min-max', 'both');
  assert.equal(again.cached, true);
  assert.equal([...again.stats.values()][0]!.countedSamples, COUNT);
});
