import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import type { Preprocess } from '../../shared/recipe';
import { openDataset } from './dataset';
import type { Dataset, Sample } from './types';

async function collect(dataset: Dataset): Promise<Sample[]> {
  const out: Sample[] = [];
  for await (const sample of dataset.samples()) out.push(sample);
  return out;
}

const values = (samples: readonly Sample[]): number[][] =>
  samples.map(({ feeds }) => Array.from<number | bigint>(Object.values(feeds)[0]!.data).map(Number));

describe('real data', () => {
  const data = path.resolve(__dirname, '../../../../shared/data');
  const missing = existsSync(data) ? false : `real images are not at ${data}`;
  const shorter = (size: number, crop: number): Preprocess => ({ resize: { mode: 'shorter-side', size }, crop });
  const rows: [source: string, shape: number[], preprocess: Preprocess, low: number, high: number][] = [
    ['images/imagenet/calibration', [1, 3, 224, 224], { preset: 'caffe', ...shorter(256, 224) }, -123, 151],
    ['images/imagenet/calibration', [1, 3, 128, 128], { preset: 'tf', ...shorter(146, 128) }, -1, 1],
    ['images/cifar10/calibration', [1, 3, 32, 32], {}, 0, 255],
    ['images/mnist/calibration', [1, 1, 28, 28], {}, 0, 255],
    ['images/faces', [1, 3, 240, 320], { mean: 127, std: 128 }, -127 / 128, 1],
    ['images/scenes', [1, 3, 352, 352], { preset: 'unit', color: 'bgr' }, 0, 1],
    ['images/imagenet/calibration', [1, 1, 224, 224], { preset: 'unit', color: 'y', ...shorter(256, 224) }, 0, 1],
  ];
  for (const [source, shape, preprocess, low, high] of rows) {
    test(`${source} for [${shape.join(', ')}]`, { skip: missing }, async () => {
      const dataset = await openDataset(source, [{ name: 'x', type: 'float32', shape }], {
        baseDir: data,
        preprocess,
        samples: 10,
      });
      const samples = await collect(dataset);
      assert.deepEqual([samples.length, dataset.skipped.length], [dataset.count, 0]);
      const flat = values(samples).flat();
      const [min, max] = [flat.reduce((a, b) => Math.min(a, b)), flat.reduce((a, b) => Math.max(a, b))];
      assert.ok(min >= low && max <= high && max - min > 0.8 * (high - low), `${min} … ${max}`);
    });
  }

  test('a JSON list of token sequences', { skip: missing }, async () => {
    const file = path.join(data, 'labels/gpt_nano_sort_cases.json');
    const dataset = await openDataset(file, [{ name: 'idx', type: 'int64', shape: [1, 11] }], {
      baseDir: data,
      preprocess: {},
      samples: 20,
    });
    const cases = JSON.parse(readFileSync(file, 'utf8')) as { idx: number[] }[];
    assert.deepEqual(
      values(await collect(dataset)),
      dataset.ids.map((id) => cases[Number(id.split('#')[1])]!.idx),
    );
  });
});
