/** Folders that are full or read-only, as file systems of a chosen size. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { ERROR_CODES, type ErrorCode } from '../../src/shared/errors';
import { filesIn, quantizeArguments, workspace } from './sampleRuns';
import { CLI, errorCodeOf, missing, reportOf, runCli, SAMPLES, start, subfolder } from './support';

const skip = missing(SAMPLES);

/** A mount that only the command and its children see, and that goes with them. */
function privateMounts(): string | false {
  if (process.platform !== 'linux') return 'needs mount namespaces of Linux';
  const { status, stderr, error } = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], {
    encoding: 'utf8',
  });
  return status === 0 ? false : `no private mount: ${error?.message ?? stderr.trim()}`;
}

const MOUNTED = `
set -e
mount -t tmpfs -o size="$SIZE" tmpfs "$OUT"
cp -r "$FORMER"/. "$OUT"
[ "$READ_ONLY" = no ] || mount -o remount,ro "$OUT"
set +e
"$@"
status=$?
cp -r "$OUT"/. "$AFTER"
exit $status
`;

describe('an output folder that cannot be written', { skip: skip === false ? privateMounts() : skip }, () => {
  const rows: readonly [string, boolean, ErrorCode][] = [
    ['full', false, 'disk-full'],
    ['read-only', true, 'file-unwritable'],
  ];
  // With another number of samples the calibration is what does not fit; with the same, the first that is none of these.
  const attempts: readonly [number, readonly string[]][] = [
    [8, []],
    [4, []],
    [4, ['shapes.int8.onnx']],
  ];
  for (const [name, readOnly, code] of rows) {
    for (const [samples, fitting] of readOnly ? attempts.slice(0, 2) : attempts) {
      const room = fitting.length === 0 ? '' : `, room for ${fitting.join(' and ')}`;
      test(`${name}, ${samples} samples${room}: "${code}", and the former results are as they were`, async () => {
        const { folder, model, out: former } = workspace();
        reportOf(await runCli(quantizeArguments(model, former, 4)));
        const [out, after] = [subfolder(folder, 'mounted'), subfolder(folder, 'after')];
        const pages = [...filesIn(former), ...fitting]
          .map((file) => Math.ceil(readFileSync(path.join(former, file)).length / 4096))
          .reduce((a, b) => a + b, 0);
        const env = {
          ...{ SIZE: String((pages + 4) * 4096), OUT: out, FORMER: former, AFTER: after },
          READ_ONLY: readOnly ? 'yes' : 'no',
        };
        const command = [process.execPath, CLI, ...quantizeArguments(model, out, samples)];
        const result = await start('unshare', ['-rm', 'sh', '-c', MOUNTED, 'sh', ...command], { env }).finished;
        assert.equal(errorCodeOf(result), code);
        assert.equal(result.code, ERROR_CODES[code].exit, result.stdout + result.stderr);
        assert.deepEqual(filesIn(after), filesIn(former));
        for (const file of filesIn(former)) {
          assert.ok(readFileSync(path.join(after, file)).equals(readFileSync(path.join(former, file))), file);
        }
      });
    }
  }
});

describe('a folder for temporary files that fills up', { skip: skip === false ? privateMounts() : skip }, () => {
  const code: ErrorCode = 'disk-full';
  const mounted = 'mount -t tmpfs -o size="$SIZE" tmpfs "$TMPDIR" && "$@"';
  // The optimized model is about as large as the model, the profile larger: room for neither, and for the first alone.
  for (const [name, pages] of [
    ['the optimized model', -8],
    ['the profile', 2],
  ] as const) {
    test(`${name} has no room: "${code}", told with what to do, and nothing is written`, async () => {
      const { folder, model, out } = workspace();
      const scratch = subfolder(folder, 'tmp');
      const size = Math.ceil(readFileSync(model).length / 4096) + pages;
      const env = { SIZE: String(size * 4096), TMPDIR: scratch };
      const command = [process.execPath, CLI, ...quantizeArguments(model, out, 4)];
      const result = await start('unshare', ['-rm', 'sh', '-c', mounted, 'sh', ...command], { env }).finished;
      assert.deepEqual([errorCodeOf(result), result.code], [code, ERROR_CODES[code].exit], result.stdout.slice(0, 500));
      assert.match(result.stdout, /no room for temporary files in .*TMPDIR/);
      assert.ok(!existsSync(path.join(out, 'report.json')));
    });
  }
});
