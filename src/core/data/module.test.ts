import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { openDataset } from './dataset';

let folder = '';
before(async () => (folder = await mkdtemp(path.join(os.tmpdir(), 'quantscope-module-'))));
after(() => rm(folder, { recursive: true }));

test('a module that yields other samples each time is refused, since models are compared on the same ones', async () => {
  const body = 'yield { x: [1, 2] }; yield { x: [Math.random(), 2] };';
  await writeFile(path.join(folder, 'random.mjs'), `export function* samples() { ${body} }`);
  const inputs = [{ name: 'x', type: 'float32', shape: ['N', 2] }];
  const dataset = await openDataset('random.mjs', inputs, { baseDir: folder, preprocess: {}, trusted: true });
  const read = dataset.samples()[Symbol.asyncIterator]();
  assert.equal((await read.next()).done, false);
  await assert.rejects(read.next(), { code: 'data-invalid', message: /random\.mjs yields other samples each time/ });
});
