import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { missing, runCli, SAMPLES, subfolder, temporaryFolder } from './support';

/** Where one of these is set the runtime is silent by itself, and the test would show nothing. */
const SILENCING = ['CI', 'GITHUB_ACTIONS', 'TF_BUILD', 'ORT_DISABLE_TELEMETRY'] as const;

test('the runtime keeps no id of the device and no events', { skip: missing(SAMPLES) }, async () => {
  const home = temporaryFolder();
  const [cache, temporary] = [subfolder(home, 'cache'), subfolder(home, 'tmp')];
  const before = SILENCING.map((name) => [name, process.env[name]] as const);
  for (const name of SILENCING) Reflect.deleteProperty(process.env, name);
  try {
    const args = ['quantize', path.join(SAMPLES, 'shapes.onnx'), '--data', 'synthetic', '--samples', '2'];
    const env = { HOME: home, USERPROFILE: home, LOCALAPPDATA: cache, XDG_CACHE_HOME: cache, TMPDIR: temporary };
    const finished = await runCli([...args, '--out', path.join(home, 'out'), '--json'], { env });
    assert.equal(finished.code, 0, finished.stdout + finished.stderr);
  } finally {
    for (const [name, value] of before) if (value !== undefined) process.env[name] = value;
  }
  assert.ok(existsSync(path.join(home, 'out/report.json')));
  const left = readdirSync(home, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(left.filter((name) => name !== 'out' && !name.startsWith(`out${path.sep}`)).toSorted(), [
    'cache',
    'tmp',
  ]);
});
