import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { QuantscopeError } from '../shared/errors';
import { installCommand, openWorker } from './environment';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-environment-'));
  process.env['PYTHONPATH'] = folder;
});
afterEach(() => {
  delete process.env['PYTHONPATH'];
  rmSync(folder, { recursive: true, force: true });
});

/** Packages that tell no more of themselves than the check of an interpreter asks. */
function stub(name: string, source: string, version: string): void {
  mkdirSync(path.join(folder, name));
  writeFileSync(path.join(folder, name, '__init__.py'), source);
  const facts = path.join(folder, `${name}-${version}.dist-info`);
  mkdirSync(facts);
  writeFileSync(path.join(facts, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`);
}

const stubTorch = (version: string): void => {
  const engines = 'class backends:\n    class quantized:\n        supported_engines = ["none", "fbgemm"]\n';
  stub('torch', `__version__ = "${version}+cpu"\n${engines}`, version);
};

const skip = process.platform === 'win32' ? 'python3 is named otherwise there' : false;
const refused = (message: RegExp, command: string) => (error: QuantscopeError) => {
  assert.equal(error.code, 'torch-missing');
  assert.match(error.message, message);
  assert.ok(error.hint.includes(`-m pip install ${command}\``), error.hint);
  return true;
};
const open = (): Promise<unknown> => openWorker('python3', folder, { trusted: true });

test('a torch without its quantization names its heir, and does where that is installed', { skip }, async () => {
  stubTorch('3.1.0');
  const message =
    /torch 3\.1\.0\+cpu no longer has torch\.ao\.quantization, and torchao, its heir, is not installed\.$/u;
  await assert.rejects(open(), refused(message, 'torchao'));
  stub('torchao', '', '0.20.0');
  const { worker, check } = await openWorker('python3', folder, { trusted: true });
  await worker.close();
  assert.deepEqual([check.fx, check.torchao], [false, '0.20.0']);
});

test('a torch that is too old names the oldest that will do', { skip }, async () => {
  stubTorch('1.9.1');
  await assert.rejects(open(), refused(/torch 1\.13 or newer is needed; this is 1\.9\.1/u, '"torch>=1.13"'));
});

test('the command is one that a shell takes', () => {
  assert.equal(installCommand('/usr/bin/python3'), '/usr/bin/python3 -m pip install torch');
  assert.equal(installCommand('/my envs/python', 'torch<=2.15'), '"/my envs/python" -m pip install "torch<=2.15"');
});
