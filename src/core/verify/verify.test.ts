import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { pairOf } from '../../../test/fixtures/analyze/qdqPair';
import { readModel } from '../onnx/model';
import { makeTensor } from '../tensor';
import { verify } from './verify';

const FOLDER = path.join(__dirname, '../../../test/fixtures/analyze');

async function options() {
  const fp32 = await readModel(path.join(FOLDER, 'fp32.onnx'));
  return { fp32, threads: 1, runs: 2, ...pairOf(fp32, await readModel(path.join(FOLDER, 'int8.onnx'))) };
}

describe('verify', () => {
  test('tells the kernel and, given a sample, the time of every layer in both models', async () => {
    const feeds = { x: makeTensor('float32', [1, 3, 8, 8], new Float32Array(192)) };
    const { verdicts, int8, fp32 } = await verify({ ...(await options()), feeds });
    assert.equal(verdicts.get('conv1')?.kernel, 'QLinearConv');
    const names = ['conv1', 'pool', 'conv2', 'add', 'flat', 'fc'];
    for (const times of [int8, fp32]) {
      for (const name of names) assert.ok((times?.layers.get(name) ?? -1) >= 0, name);
    }
    // In float the Sigmoid is part of the Gemm's kernel.
    assert.deepEqual([int8!.layers.has('sigmoid'), fp32!.layers.has('sigmoid')], [true, false]);
    assert.ok(int8!.overhead >= 0 && fp32!.overhead >= 0);
  });

  test('without a sample there are verdicts and no times', async () => {
    const { verdicts, int8, fp32 } = await verify(await options());
    assert.equal(verdicts.size, 7);
    assert.deepEqual([int8, fp32], [null, null]);
  });

  test('a cancelled run stops', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(verify({ ...(await options()), signal }), { code: 'cancelled' });
  });
});
