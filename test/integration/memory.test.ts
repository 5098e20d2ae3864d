import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as path from 'node:path';
import { IMAGE_MODELS, inData, missing, ROOT, start } from './support';

const { file, images, preprocess } = IMAGE_MODELS.squeezenet;
const MB = 1e6;
/** The engine lets its young generation grow by 30 MB while a process runs, whatever is kept; small, it stays as it is. */
const SMALL_NURSERY = ['--max-semi-space-size=4'];

/** Peak resident memory of a process that only calibrates, in bytes, and how many tensors it measured. */
async function calibrate(samples: number): Promise<{ peak: number; tensors: number; samples: number }> {
  const input = { model: inData('models', file), data: inData(images), preprocess, samples };
  const program = path.join(__dirname, 'calibrateOnly.ts');
  const args = [...SMALL_NURSERY, '--import', 'tsx', program, JSON.stringify(input)];
  const { code, stdout, stderr } = await start(process.execPath, args, { cwd: ROOT }).finished;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as { peak: number; tensors: number; samples: number };
}

/** When the garbage collector comes moves the peak by 40 MB, whatever the number of samples: the least of three counts. */
async function leastPeak(samples: number): Promise<Awaited<ReturnType<typeof calibrate>>> {
  const runs = [await calibrate(samples), await calibrate(samples), await calibrate(samples)];
  // The absolute bound holds for every run.
  for (const { peak } of runs) assert.ok(peak < 500 * MB, `${peak} B for ${samples} images`);
  return runs.reduce((a, b) => (b.peak < a.peak ? b : a));
}

test(
  'calibration needs no more memory for 250 images than for 32, and less than 500 MB',
  {
    skip: missing(inData('models', file), inData(images)),
  },
  async (context) => {
    const few = await leastPeak(32);
    const many = await leastPeak(250);
    context.diagnostic(`${Math.round(few.peak / MB)} MB for 32 images, ${Math.round(many.peak / MB)} MB for 250`);
    assert.deepEqual([few.samples, many.samples], [32, 250]);
    assert.ok(many.tensors > 30, `${many.tensors} tensors`);
    assert.ok(many.peak <= 1.1 * few.peak, `${many.peak} B for 250 images, ${few.peak} B for 32`);
  },
);
