import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { externalTensor } from '../../../test/fixtures/onnx/models';
import { readTensor } from './tensorProto';

const root = mkdtempSync(path.join(os.tmpdir(), 'quantscope-external-'));
const folder = path.join(root, 'model');
mkdirSync(path.join(folder, 'weights'), { recursive: true });
after(() => {
  rmSync(root, { recursive: true, force: true });
});

const VALUES = Float32Array.from([1.5, -2, 3.25, 0]);
const BYTES = new Uint8Array(VALUES.buffer);
writeFileSync(path.join(folder, 'good.data'), Buffer.concat([Buffer.alloc(8), BYTES]));
writeFileSync(path.join(folder, 'weights', 'good.data'), BYTES);
writeFileSync(path.join(root, 'secret'), BYTES);
writeFileSync(path.join(folder, 'short.data'), BYTES.subarray(0, 15));

function read(location: string, entries: Readonly<Record<string, string>> = {}): ReturnType<typeof readTensor> {
  return readTensor(externalTensor('t', [2, 2], { location, ...entries }), folder);
}

function fails(code: string, location: string, entries: Readonly<Record<string, string>> = {}): void {
  assert.throws(() => read(location, entries), { name: 'QuantscopeError', code });
}

describe('external data', () => {
  test('is read at its offset, from sub-folders too', () => {
    assert.deepEqual(read('good.data', { offset: '8', length: '16' }).data, VALUES);
    assert.deepEqual(read('good.data', { offset: '8' }).data, VALUES);
    assert.deepEqual(read('weights/good.data').data, VALUES);
    assert.deepEqual(read('./good.data', { offset: '8', checksum: 'ignored' }).data, VALUES);
  });

  test('inside the folder only', () => {
    const unsafe = [
      '',
      '../secret',
      'weights/../../secret',
      '..\\secret',
      'weights\\..\\good.data',
      '/etc/passwd',
      'C:\\secret',
      'c:secret',
      '\\\\server\\share',
      'a\0b',
      '.',
      'weights',
    ];
    for (const location of [...unsafe, path.join(root, 'secret')]) fails('external-data-unsafe', location);
  });

  test(
    'symbolic links may lead inside, not outside',
    { skip: process.platform === 'win32' ? 'Windows lets few users make links' : false },
    () => {
      symlinkSync(path.join(root, 'secret'), path.join(folder, 'out'));
      symlinkSync(root, path.join(folder, 'up'));
      symlinkSync(path.join(folder, 'weights'), path.join(folder, 'in'));
      symlinkSync(path.join(folder, 'loop'), path.join(folder, 'loop'));
      fails('external-data-unsafe', 'out');
      fails('external-data-unsafe', 'up/secret');
      fails('external-data-missing', 'loop');
      assert.deepEqual(read('in/good.data').data, VALUES);
    },
  );

  test('a pipe is refused, not waited for', (t: TestContext) => {
    if (process.platform === 'win32' || spawnSync('mkfifo', [path.join(folder, 'pipe')]).status !== 0) {
      t.skip('no mkfifo here');
      return;
    }
    fails('external-data-unsafe', 'pipe');
  });

  test('missing, short and misdescribed files have their own errors', () => {
    fails('external-data-missing', 'absent.data');
    fails('external-data-missing', 'short.data');
    fails('external-data-missing', 'good.data', { offset: '9' });
    fails('external-data-missing', 'good.data', { offset: '9007199254740000' });
    fails('model-invalid', 'good.data', { length: '8' });
    for (const offset of ['-1', '1e3', '0x10', ' 1', 'NaN', '', '99999999999999999999'])
      fails('model-invalid', 'good.data', { offset });
    assert.throws(() => readTensor(externalTensor('t', [4], { location: 'good.data' })), {
      code: 'external-data-missing',
    });
  });

  test('a claim of terabytes allocates nothing', () => {
    const claim = externalTensor('t', [2 ** 40], { location: 'good.data' });
    assert.throws(() => readTensor(claim, folder), { code: 'external-data-missing' });
  });

  test('files beyond 2 GiB, where the file system leaves holes', (t: TestContext) => {
    const file = path.join(folder, 'huge.data');
    const offset = 2_500_000_000;
    const descriptor = openSync(file, 'w');
    ftruncateSync(descriptor, 3_000_000_000);
    writeSync(descriptor, BYTES, 0, BYTES.length, offset);
    closeSync(descriptor);
    if (statSync(file).blocks * 512 > 10_000_000) {
      t.skip('this file system stores the holes');
      return;
    }
    assert.deepEqual(read('huge.data', { offset: `${offset}`, length: '16' }).data, VALUES);
    assert.deepEqual(read('huge.data', { offset: '2999999984' }).data, new Float32Array(4));
    fails('external-data-missing', 'huge.data', { offset: '2999999985' });
    rmSync(file);
  });
});
