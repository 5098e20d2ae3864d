import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from 'esbuild';
import { InlineSink, WorkerSink, type Measured } from './sink';

let folder = '';
let worker = '';

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-sink-'));
  worker = path.join(folder, 'statsWorker.js');
  await build({
    entryPoints: [path.join(__dirname, 'statsWorker.ts')],
    outfile: worker,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
});
after(() => rm(folder, { recursive: true, force: true }));

/** Fresh memory at every call: a sink may take it. */
function sampleOf(seed: number): Measured {
  const values = (length: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length }, (_, i) => Math.sin(seed * 97 + i) * 10 ** (i % 4));
  return [
    ['a', values(20_000)],
    ['b', values(7)],
  ];
}

describe('a sink in a thread of its own', () => {
  test('finds what one in this thread finds', async () => {
    const [inline, threaded] = [new InlineSink(), new WorkerSink(worker)];
    try {
      for (let sample = 0; sample < 8; sample++) {
        await inline.observe(sample, sampleOf(sample));
        await threaded.observe(sample, sampleOf(sample));
      }
      const [expected, found] = [await inline.finish(), await threaded.finish()];
      assert.deepEqual([...found.keys()], [...expected.keys()]);
      for (const [name, stats] of expected) assert.deepEqual(found.get(name)?.toBytes(), stats.toBytes(), name);
    } finally {
      await threaded.close();
    }
  });

  test('takes two tensors that share their memory', async () => {
    const threaded = new WorkerSink(worker);
    try {
      const values = Float32Array.of(1, 2, 3);
      await threaded.observe(0, [
        ['a', values],
        ['b', values],
      ]);
      const found = await threaded.finish();
      assert.equal(found.get('a')?.max, 3);
      assert.equal(found.get('b')?.count, 3);
    } finally {
      await threaded.close();
    }
  });

  test('ends in an error where the thread does', async () => {
    const broken = path.join(folder, 'broken.js');
    await writeFile(broken, 'setTimeout(() => { throw new Error("out of paper"); }, 20);');
    const threaded = new WorkerSink(broken);
    await assert.rejects(threaded.finish(), { code: 'internal', message: /out of paper/ });
    await threaded.close();
  });
});
