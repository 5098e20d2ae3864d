import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const TOOL = path.join(__dirname, 'avx2.mjs');
const UNAVAILABLE = 77;

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [TOOL, ...args], { encoding: 'utf8' });
}

test('under the mask u8×s8 products saturate at exactly the value that vpmaddubsw gives', (context) => {
  const { status, stdout, stderr } = run('--self-check');
  if (status === UNAVAILABLE) {
    context.skip(stderr.trim());
    return;
  }
  assert.equal(status, 0, stderr);
  const report = JSON.parse(stdout) as { saturated: number; node: { native: number; masked: number } };
  assert.equal(report.node.masked, 64 * 0.5 * 32767);
});

test('the exit status of the command is passed on', (context) => {
  const { status, stderr } = run(process.execPath, '-e', 'process.exit(7)');
  if (status === UNAVAILABLE) {
    context.skip(stderr.trim());
    return;
  }
  assert.equal(status, 7, stderr);
});
