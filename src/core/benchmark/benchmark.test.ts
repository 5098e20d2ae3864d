import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeTinyModel } from '../../../test/helpers/tinyModel';
import { benchmark } from './benchmark';

const baseDir = mkdtempSync(path.join(os.tmpdir(), 'quantscope-benchmark-'));
after(() => rmSync(baseDir, { recursive: true, force: true }));

before(async () => {
  await writeTinyModel(path.join(baseDir, 'relu.onnx'), [1, 64], { op: 'Relu' });
  await writeTinyModel(path.join(baseDir, 'tokens.onnx'), ['batch', 'tokens'], { type: 'int64' });
});

describe('benchmark', () => {
  test('times every model, the first against itself', async () => {
    const result = await benchmark({ models: ['relu.onnx', 'tokens.onnx'], runs: 5, warmup: 1, baseDir });
    const { entries, ...settings } = result;
    assert.deepEqual(settings, { threads: 1, warmup: 1, runs: 5, seed: 0 });
    assert.deepEqual(
      entries.map(({ model, bytes }) => [model, bytes]),
      ['relu.onnx', 'tokens.onnx'].map((name) => [path.join(baseDir, name), statSync(path.join(baseDir, name)).size]),
    );
    assert.equal(entries[0]?.ratio, 1);
    for (const { min, median, p95, ratio } of entries) {
      assert.ok(0 < min && min <= median && median <= p95 && ratio > 0);
    }
  });

  test('progress counts rounds, and each one can cancel', async () => {
    const controller = new AbortController();
    const run = benchmark(
      { models: ['relu.onnx'], runs: 1_000_000, baseDir },
      {
        signal: controller.signal,
        onProgress: ({ done }) => {
          if (done === 3) controller.abort();
        },
      },
    );
    await assert.rejects(run, { code: 'cancelled' });
  });

  test('a shape must name an input and fit it', async () => {
    const shaped = (shapes: Record<string, number[]>): Promise<unknown> =>
      benchmark({ models: ['tokens.onnx'], runs: 1, warmup: 0, shapes, baseDir });
    await shaped({ x: [2, 9] });
    await assert.rejects(shaped({ z: [2, 9] }), { code: 'usage', message: /"z".*inputs are x/ });
    await assert.rejects(shaped({ x: [2] }), { code: 'usage', message: /does not fit/ });
    await assert.rejects(benchmark({ models: ['relu.onnx'], shapes: { x: [2, 64] }, baseDir }), { code: 'usage' });
    const beyond = {
      code: 'out-of-memory',
      message: /^"x" of 2×10000000000000 takes \d+ GB, and this machine has /,
      hint: /smaller dim/,
    };
    await assert.rejects(shaped({ x: [2, 1e13] }), beyond);
  });

  test('a model that is not there', async () => {
    await assert.rejects(benchmark({ models: ['relu.onnx', 'no.onnx'], baseDir }), { code: 'file-not-found' });
  });
});
