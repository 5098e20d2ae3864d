import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { OBSERVERS, type ObserverId, type Recipe } from '../../shared/recipe';
import { rangeOf } from '../calibrate/observers';
import { openDataset } from '../data/dataset';
import type { Dataset, Sample } from '../data/types';
import { withOutputs } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { toFloat32, type Tensor } from '../tensor';
import { calibrate, type Calibration } from './calibration';
import { prepare, type Prepared } from './prepare';

const SAMPLES = path.resolve('samples');
const COUNT = 48;
const UNSIGNED = { bits: 8, qmin: 0, qmax: 255, symmetric: false };

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-calibration-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Setup {
  readonly prepared: Prepared;
  readonly dataset: Dataset;
  readonly recipe: Recipe;
  /** Samples read so far. */
  readonly reads: () => number;
}

async function setUp(observer: ObserverId): Promise<Setup> {
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
  let reads = 0;
  async function* samples(signal?: AbortSignal): AsyncGenerator<Sample, void, undefined> {
    for await (const sample of dataset.samples(signal)) {
      reads++;
      yield sample;
    }
  }
  return { prepared, dataset: { ...dataset, samples }, recipe, reads: () => reads };
}

/** What a calibration into this folder found, and how many samples it read for it. */
async function measure(observer: ObserverId, outDir: string): Promise<Calibration & { readonly reads: number }> {
  const { prepared, dataset, recipe, reads } = await setUp(observer);
  const found = await calibrate(prepared, dataset, recipe, path.join(folder, outDir), {});
  return { ...found, reads: reads() };
}

describe('one pass is enough for every observer', () => {
  for (const first of OBSERVERS) {
    test(`from ${first} to any other no sample is read again`, async () => {
      assert.equal((await measure(first, first)).reads, COUNT);
      for (const next of OBSERVERS) {
        const { reads, cached } = await measure(next, first);
        assert.deepEqual([reads, cached], [0, true], `${first} to ${next}`);
      }
    });
  }

  test('the ranges of an observer are the same whichever was asked for in the pass', async () => {
    const passes = await Promise.all(OBSERVERS.map((observer) => measure(observer, `alone-${observer}`)));
    for (const [name, stats] of passes[0]!.stats) {
      for (const observer of OBSERVERS) {
        const ranges = passes.map((pass) => rangeOf(pass.stats.get(name)!, { observer }, UNSIGNED));
        for (const range of ranges) assert.deepEqual(range, ranges[0], `${observer} of ${name}`);
      }
      assert.ok(stats.count > 0, name);
    }
  });
});

/** What is found of a tensor by looking at one value after the other. */
const nothing = () => ({
  count: 0,
  min: Infinity,
  max: -Infinity,
  minSample: -1,
  maxSample: -1,
  movingMin: NaN,
  movingMax: NaN,
});

function look(found: ReturnType<typeof nothing>, { data }: Tensor, sample: number): void {
  const values = data as Float32Array;
  const [min, max] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  found.count += values.length;
  if (min < found.min) [found.min, found.minSample] = [min, sample];
  if (max > found.max) [found.max, found.maxSample] = [max, sample];
  // torch's MovingAverageMinMaxObserver, in float32 at every step.
  const step = (now: number, value: number): number =>
    sample === 0 ? value : Math.fround(now + Math.fround(Math.fround(0.01) * Math.fround(value - now)));
  found.movingMin = step(found.movingMin, min);
  found.movingMax = step(found.movingMax, max);
}

test('extremes, where they lie, moving averages and channel means are those of looking at every value', async () => {
  const { prepared, dataset } = await setUp('min-max');
  const { stats, means } = await measure('min-max', 'looked');
  const names = [...stats.keys()];
  const outputs = names.filter((name) => !prepared.graph.inputs.includes(name));
  const session = await openSession(withOutputs(prepared.model, outputs));
  const looked = new Map(names.map((name) => [name, nothing()]));
  const sums = new Map([...means].map(([name, mean]) => [name, new Float64Array(mean.length)]));
  let index = 0;
  for await (const { feeds } of dataset.samples()) {
    const tensors = { ...feeds, ...(await session.run(feeds, outputs)) };
    for (const [name, found] of looked) look(found, tensors[name]!, index);
    for (const [name, sum] of sums) {
      const values = toFloat32(tensors[name]!);
      const area = values.length / sum.length;
      values.forEach((value, i) => (sum[Math.floor(i / area)]! += value / area / COUNT));
    }
    index++;
  }
  await session.close();
  assert.equal(index, COUNT);
  assert.ok(sums.size > 0);
  for (const [name, expected] of looked) {
    const { count, min, max, minSample, maxSample, movingMin, movingMax } = stats.get(name)!;
    assert.deepEqual({ count, min, max, minSample, maxSample, movingMin, movingMax }, expected, name);
  }
  for (const [name, sum] of sums) {
    for (const [channel, mean] of means.get(name)!.entries())
      assert.ok(Math.abs(mean - sum[channel]!) < 1e-5 * stats.get(name)!.absMax, `${name} ${channel}`);
  }
});
