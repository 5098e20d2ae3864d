import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTensor } from '../tensor';
import { buildModel, node } from '../normalize/fixtures/models';
import { profileKernels } from './inspect';

test('kernels are timed by the names of their nodes, whatever these hold', async () => {
  const names = ['plain', 'a "quoted" one', 'back\\slash', 'two\nlines', 'tab\t', '\u001b[31m', '漢字 \u2028 😀'];
  const nodes = names.map((name, i) => Object.assign(node('Sin', [`t${i}`], [`t${i + 1}`]), { name }));
  const model = buildModel({ opset: 13, inputs: { t0: [4] }, nodes, outputs: [`t${names.length}`] });
  const feeds = { t0: makeTensor('float32', [4], Float32Array.of(1, 2, 3, 4)) };
  const times = await profileKernels(model, feeds, { level: 'disabled', runs: 2, threads: 1 });
  assert.deepEqual(times.map(({ node: name }) => name).toSorted(), names.toSorted());
  assert.ok(times.every(({ op, microseconds }) => op === 'Sin' && microseconds >= 0));
});
