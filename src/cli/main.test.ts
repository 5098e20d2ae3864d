/** The program as it ships, as a process. */

import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { bundlePrograms } from '../../test/helpers/bundle';

const SAMPLES = path.join(__dirname, '../../samples');

const cwd = mkdtempSync(path.join(os.tmpdir(), 'quantscope-main-'));
const bundles = bundlePrograms();
after(() => {
  bundles.remove();
  rmSync(cwd, { recursive: true, force: true });
});
copyFileSync(path.join(SAMPLES, 'shapes.onnx'), path.join(cwd, 'shapes.onnx'));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [bundles.cli, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]: [unknown[], string, string]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, ended };
}

describe('the program', () => {
  test('quantizes, and prints one JSON document', async () => {
    const data = path.join(SAMPLES, 'images/calibration');
    const flags = ['--data', data, '--samples', '8', '--preprocess', 'tf', '--out', 'out', '--json'];
    const { code, stdout, stderr } = await start('quantize', 'shapes.onnx', ...flags).ended;
    assert.deepEqual([code, stderr], [0, '']);
    const report = JSON.parse(stdout) as { readonly layers: readonly unknown[]; readonly gates: readonly unknown[] };
    assert.ok(report.layers.length > 0);
    assert.ok(existsSync(path.join(cwd, 'out/report.json')));
    const layers = await start('layers', 'out', '--sort', 'sqnr').ended;
    assert.equal(layers.code, 0);
    assert.match(layers.stdout, /■ int8/);
  });

  test('an engine that meets a bad file says so: status 2, nothing on standard output', async () => {
    const { code, stdout, stderr } = await start('inspect', 'nothing.onnx').ended;
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^error file-not-found: /);
  });

  test('lost output is a failure, a reader that has gone away is none', async (t) => {
    const child = spawn(process.execPath, [bundles.cli, 'inspect', 'shapes.onnx'], { cwd, stdio: 'pipe' });
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    if (!existsSync('/dev/full')) {
      t.diagnostic('there is no /dev/full, so no disk that is full');
      return;
    }
    for (const args of [['inspect', 'shapes.onnx', '--json'], ['--help']]) {
      const full = openSync('/dev/full', 'w');
      const lost = spawnSync(process.execPath, [bundles.cli, ...args], { cwd, stdio: ['ignore', full, 'pipe'] });
      closeSync(full);
      assert.equal(lost.status, 3);
      assert.match(lost.stderr.toString(), /^error disk-full: Standard output cannot be written: .*ENOSPC/);
    }
  });

  test('Ctrl+C cancels with status 130 and leaves nothing running', async () => {
    const { child, ended } = start('benchmark', 'shapes.onnx', '--runs', '10000000', '--json');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill('SIGINT');
    // `close` comes only when the engine, too, has let go of the pipes.
    const { code, stdout } = await ended;
    assert.equal(code, 130);
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'cancelled');
  });
});
