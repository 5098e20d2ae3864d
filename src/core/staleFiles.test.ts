import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { removeStaleFolders, removeStaleTemporaries, temporaryName } from './staleFiles';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-stale-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const deadPid = spawnSync(process.execPath, ['-e', '']).pid;

describe('stale temporaries', () => {
  test('those of a dead process go; those of a living one and other files stay', async () => {
    const mine = path.basename(temporaryName(path.join(folder, 'net.int8.onnx')));
    const dead = mine.replace(String(process.pid), String(deadPid));
    const others = ['net.int8.onnx', `.net.${deadPid}.tmp`, `net.${deadPid}-0123456789ab.tmp`, '.hidden'];
    for (const name of [mine, dead, ...others]) writeFileSync(path.join(folder, name), '');
    assert.deepEqual(await removeStaleTemporaries(folder), [dead]);
    assert.deepEqual(readdirSync(folder).sort(), [mine, ...others].sort());
  });

  test('folders of dead processes go as well, with all that is in them', async () => {
    const inside = path.join(folder, 'temporary');
    const dead = `engine-box-${deadPid}-a1B2c3`;
    const others = [
      `engine-box-${process.pid}-a1B2c3`,
      `engine-other-${deadPid}-a1B2c3`,
      `engine-box-x-${deadPid}-a1B2c3`,
    ];
    for (const name of [dead, ...others]) mkdirSync(path.join(inside, name, 'deep'), { recursive: true });
    assert.deepEqual(await removeStaleFolders(inside, 'engine-box-'), [dead]);
    assert.deepEqual(readdirSync(inside).sort(), others.sort());
    assert.deepEqual(await removeStaleFolders(path.join(folder, 'missing'), 'engine-box-'), []);
  });

  test('a name lies beside its file and is never the same twice', () => {
    const names = Array.from({ length: 100 }, () => temporaryName('/data/out/report.json'));
    assert.equal(new Set(names).size, 100);
    assert.ok(names.every((name) => path.dirname(name) === path.normalize('/data/out')));
  });

  test('a folder that is not there has none', async () => {
    assert.deepEqual(await removeStaleTemporaries(path.join(folder, 'missing')), []);
  });
});
