import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { replaceFile, writeFileAtomic } from './files';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-files-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code });
}

describe('writeFileAtomic', () => {
  test('writes and replaces, and leaves nothing else behind', async () => {
    const own = path.join(folder, 'plain');
    mkdirSync(own);
    const file = path.join(own, 'a.json');
    await writeFileAtomic(file, 'old');
    await writeFileAtomic(file, Uint8Array.of(0x6e, 0x65, 0x77));
    assert.equal(readFileSync(file, 'utf8'), 'new');
    assert.deepEqual(readdirSync(own), ['a.json']);
  });

  test('two writers at once leave one whole content', async () => {
    const file = path.join(folder, 'race');
    const contents = ['a', 'b', 'c', 'd'].map((c) => c.repeat(1 << 20));
    await Promise.all(contents.map((content) => writeFileAtomic(file, content)));
    assert.ok(contents.includes(readFileSync(file, 'utf8')));
  });

  test(
    'a link is replaced, its target is not written to',
    { skip: process.platform === 'win32' ? 'Windows lets few users make links' : false },
    async () => {
      const target = path.join(folder, 'target');
      writeFileSync(target, 'kept');
      symlinkSync(target, path.join(folder, 'link'));
      await writeFileAtomic(path.join(folder, 'link'), 'new');
      assert.equal(readFileSync(target, 'utf8'), 'kept');
    },
  );
});

describe('a failure keeps the old file and removes the temporary one', () => {
  for (const [errno, code] of [
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EACCES', 'file-unwritable'],
    ['EIO', 'file-unwritable'],
  ] as const) {
    test(`${errno} halfway`, async () => {
      const own = path.join(folder, errno);
      mkdirSync(own);
      const file = path.join(own, 'a');
      writeFileSync(file, 'old');
      const write = replaceFile(file, async (handle) => {
        await handle.writeFile('half');
        throw systemError(errno);
      });
      await assert.rejects(write, { name: 'QuantscopeError', code });
      assert.deepEqual(readdirSync(own), ['a']);
      assert.equal(readFileSync(file, 'utf8'), 'old');
    });
  }

  test('a target that cannot be replaced', async () => {
    const own = path.join(folder, 'occupied');
    mkdirSync(path.join(own, 'a', 'b'), { recursive: true });
    await assert.rejects(writeFileAtomic(path.join(own, 'a'), 'x'), { code: 'file-unwritable' });
    assert.deepEqual(readdirSync(own), ['a']);
  });

  test('a missing folder', async () => {
    await assert.rejects(writeFileAtomic(path.join(folder, 'absent', 'a'), 'x'), { code: 'file-not-found' });
  });
});
