import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Progress } from '../../shared/progress';
import type { Dataset, Feeds, Sample } from '../data/types';
import { makeTensor, type Tensor } from '../tensor';
import { readStats, writeStats } from './cache';
import { collectStats, type CalibrationSession } from './collect';
import { planGroups } from './groups';
import { TensorStats } from './histogram';
import { distribution } from './testData';

const floats = (...values: number[]): Tensor => makeTensor('float32', [values.length], Float32Array.from(values));

/** Sample k feeds x = [k, -k]; the samples listed as unreadable are passed over. */
function datasetOf(count: number, unreadable: readonly number[] = []): Dataset {
  const ids = Array.from({ length: count }, (_, index) => `${index}.png`);
  return {
    kind: 'synthetic',
    description: 'Counting samples.',
    count,
    ids,
    skipped: [],
    fingerprint: () => Promise.resolve('counting'),
    async *samples(): AsyncGenerator<Sample> {
      for (const [index, id] of ids.entries()) {
        if (!unreadable.includes(index)) yield await Promise.resolve({ id, feeds: { x: floats(index, -index) } });
      }
    },
  };
}

/** A "model" whose outputs are the input times the number in their names; it notes what is opened and closed. */
function fakeModel(): {
  opened: string[][];
  closed: number;
  open: (outputs: readonly string[]) => Promise<CalibrationSession>;
} {
  const model = {
    opened: [] as string[][],
    closed: 0,
    open: (outputs: readonly string[]): Promise<CalibrationSession> => {
      model.opened.push([...outputs]);
      const times = (feeds: Feeds, factor: number): Tensor =>
        floats(...Array.from(feeds['x']!.data as Float32Array, (v) => v * factor));
      return Promise.resolve({
        run: (feeds) =>
          Promise.resolve(Object.fromEntries(outputs.map((name) => [name, times(feeds, Number(name.slice(1)))]))),
        close: () => {
          model.closed++;
          return Promise.resolve();
        },
      });
    },
  };
  return model;
}

const tensors = [
  { name: 't1', bytes: 40 },
  { name: 't2', bytes: 70 },
  { name: 't3', bytes: 30 },
];

describe('groups', () => {
  test('each tensor once, no group above the cap unless one tensor alone is', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 200 }), (list, cap) => {
        const all = list.map((bytes, index) => ({ name: `${index}`, bytes }));
        const groups = planGroups(all, cap);
        assert.deepEqual(
          groups
            .flat()
            .map(Number)
            .sort((a, b) => a - b),
          list.map((_, index) => index),
        );
        const sums = groups.map((group) => group.reduce((sum, name) => sum + list[Number(name)]!, 0));
        sums.forEach((sum, k) => assert.ok(sum <= cap || groups[k]!.length === 1));
        // First fit leaves at most one group half empty.
        assert.ok(sums.filter((sum) => sum <= cap / 2).length <= 1);
      }),
    );
  });

  test('all in one group where they fit', () => {
    assert.deepEqual(planGroups(tensors, 140), [['t1', 't2', 't3']]);
    assert.deepEqual(planGroups(tensors, 100), [['t2', 't3'], ['t1']]);
    assert.deepEqual(planGroups([], 100), []);
  });
});

describe('collectStats', () => {
  test('several passes under a memory cap give the statistics of one pass', async () => {
    const [one, several] = [fakeModel(), fakeModel()];
    const { stats: whole } = await collectStats(one.open, tensors, datasetOf(12));
    const { stats: parts } = await collectStats(several.open, tensors, datasetOf(12), { memoryCapBytes: 100 });
    assert.deepEqual([one.opened.length, one.closed, several.opened.length, several.closed], [1, 1, 2, 2]);
    assert.deepEqual([...whole.keys()], ['t1', 't2', 't3']);
    for (const [name, stats] of whole) assert.deepEqual(parts.get(name)!.toBytes(), stats.toBytes());
    const t3 = whole.get('t3')!;
    assert.deepEqual([t3.count, t3.samples, t3.min, t3.max, t3.maxSample], [24, 12, -33, 33, 11]);
  });

  test('a sample keeps its index where another could not be read', async () => {
    const { stats } = await collectStats(fakeModel().open, tensors, datasetOf(5, [1, 2]));
    assert.deepEqual([stats.get('t1')!.samples, stats.get('t1')!.maxSample], [3, 4]);
  });

  test('progress ends complete, counts every pass, and grows', async () => {
    const reports: Progress[] = [];
    await collectStats(fakeModel().open, tensors, datasetOf(7), {
      memoryCapBytes: 80,
      onProgress: (report) => reports.push(report),
    });
    const done = reports.map((report) => report.done);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.deepEqual([reports.at(-1)!.done, reports.at(-1)!.total], [14, 14]);
    assert.ok(reports[0]!.rate! > 0 && reports[0]!.secondsLeft! >= 0);
  });

  test('cancelling between samples closes the session', async () => {
    const model = fakeModel();
    const abort = new AbortController();
    const run = collectStats(model.open, tensors, datasetOf(1000), {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await assert.rejects(run, { code: 'cancelled' });
    assert.deepEqual([model.opened.length, model.closed], [1, 1]);
  });

  test('no sample, a tensor that does not come, a failing run', async () => {
    await assert.rejects(collectStats(fakeModel().open, tensors, datasetOf(2, [0, 1])), { code: 'data-empty' });
    const model = fakeModel();
    const silent = (): Promise<CalibrationSession> => model.open([]);
    await assert.rejects(collectStats(silent, tensors, datasetOf(2)), { code: 'internal' });
    assert.equal(model.closed, 1);
  });
});

describe('cache', () => {
  const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'quantscope-'));
    try {
      await use(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const some = (): Map<string, TensorStats> => {
    const stats = new Map([
      ['conv/été', new TensorStats()],
      ['empty', new TensorStats()],
    ]);
    stats.get('conv/été')!.observe(distribution('gaussian', 500), 3);
    return stats;
  };

  test('reads back what was written, and leaves no temporary file', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'stats.bin');
      await writeStats(path, 'key', new Map());
      await writeStats(path, 'key', some());
      const read = await readStats(path, 'key');
      assert.deepEqual([...read!.keys()], [...some().keys()]);
      for (const [name, stats] of some()) assert.deepEqual(read!.get(name)!.toBytes(), stats.toBytes());
      assert.deepEqual(await readdir(folder), ['stats.bin']);
    }));

  test('another key, no file, any damage: undefined', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'stats.bin');
      assert.equal(await readStats(path, 'key'), undefined);
      await writeStats(path, 'key', some());
      assert.equal(await readStats(path, 'other'), undefined);
      const good = await readFile(path);
      for (let at = 0; at < good.length; at += 37) {
        const bad = Buffer.from(good);
        bad[at]! ^= 4;
        await writeFile(path, bad);
        assert.equal(await readStats(path, 'key'), undefined, `byte ${at}`);
        await writeFile(path, good.subarray(0, at));
        assert.equal(await readStats(path, 'key'), undefined, `cut at ${at}`);
      }
    }));

  test('a folder that is missing is an error of its own', () =>
    withFolder(async (folder) => {
      await assert.rejects(writeStats(join(folder, 'no', 'stats.bin'), 'key', some()), { code: 'file-not-found' });
    }));
});
