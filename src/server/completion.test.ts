import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { complete } from './completion';
import { NO_FACTS, type Facts } from './facts';

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-completion-'));
  mkdirSync(path.join(folder, 'images'));
  for (const name of ['net.py', 'net.pth', 'net.onnx', 'notes.md']) writeFileSync(path.join(folder, name), '');
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Labels that are offered at the `|` of a text. */
async function offered(text: string, facts: Facts = NO_FACTS): Promise<string[]> {
  const offset = text.indexOf('|');
  const request = { text: text.replace('|', ''), offset, facts, folder, commands: new Set<string>() };
  return (await complete(request)).items.map(({ label }) => label);
}

test('a PyTorch recipe is offered what PyTorch has', async () => {
  const head = 'framework: torch\nmodel: net.py:build\n';
  assert.deepEqual(await offered(`${head}backend: |`), ['fbgemm', 'x86', 'onednn', 'qnnpack']);
  assert.deepEqual(await offered(`${head}mode: |`), ['static', 'dynamic', 'eager', 'qat', 'pt2e']);
  assert.deepEqual(await offered(`${head}torch:\n  engine: |`), ['fbgemm', 'x86', 'onednn', 'qnnpack']);
  assert.deepEqual(await offered(`${head}torch:\n  weights: |`), ['images', 'net.pth'].sort());
  assert.deepEqual((await offered('framework: torch\nmodel: |')).sort(), ['images', 'net.pth', 'net.py']);
});

test('an ONNX recipe is offered what ONNX has', async () => {
  assert.deepEqual(await offered('model: net.onnx\nmode: |'), ['static', 'dynamic', 'weight-only']);
  assert.equal((await offered('model: net.onnx\nbackend: |'))[0], 'ort-cpu');
  assert.deepEqual((await offered('model: |')).sort(), ['images', 'net.onnx']);
});

test('layers of PyTorch are offered by their own names, scopes with slashes', async () => {
  const nodes = ['stage1.conv', 'stage1.middle'].map((name) => {
    return { name, path: name.replaceAll('.', '/'), op: 'Conv2d', folds: false };
  });
  const facts: Facts = { model: { file: 'net.py', state: 'ok', nodes }, paths: new Map() };
  const found = await offered('framework: torch\nmodel: net.py:build\nlayers:\n  - select: |', facts);
  assert.deepEqual(found, ['stage1.conv', 'stage1.middle', 'op:Conv2d', 'scope:stage1', '**/stage1/**']);
});
