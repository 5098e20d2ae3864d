import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { makeFolder } from './folders';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-folders-'));
after(() => rmSync(folder, { recursive: true }));

describe('folders for results', () => {
  test('are made with those above them, once or at once', async () => {
    const deep = path.join(folder, 'a/b/c');
    await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(path.join(folder, 'a'))]);
    await makeFolder(deep);
    assert.ok(statSync(deep).isDirectory());
  });

  test('a file or a link to nothing in the way is a mistake of the caller', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    symlinkSync('nowhere', path.join(folder, 'link'));
    for (const name of ['file', 'file/below/it', 'link']) {
      await assert.rejects(makeFolder(path.join(folder, name)), { code: 'usage', message: /is no folder/ });
    }
  });

  test('where none can be made it says so and comes back', async (t) => {
    if (!existsSync('/proc/self')) {
      t.skip('there is no /proc');
      return;
    }
    await assert.rejects(makeFolder('/proc/quantscope/results'), {
      code: 'file-unwritable',
      message: /\/proc\/quantscope/,
    });
  });
});
