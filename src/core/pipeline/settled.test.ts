/** Calibration that stops once its ranges have settled, on the embedded sample. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import type { Report } from '../../shared/report';
import { quantize } from './quantize';

const SAMPLES = path.join(__dirname, '../../../samples');
const folder = mkdtempSync(path.join(tmpdir(), 'quantscope-settled-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function run(outDir: string, settled: number | undefined): Promise<NonNullable<Report['calibration']>> {
  const calibration = { data: 'images/calibration', samples: 100, ...(settled === undefined ? {} : { settled }) };
  const recipe = { model: 'shapes.onnx', preprocess: 'tf', calibration } as const;
  const report = await quantize({ recipe, baseDir: SAMPLES, outDir: path.join(folder, outDir) }, { threads: 1 });
  return report.calibration!;
}

test('all samples are read unless the recipe says otherwise, or as long as a range still grows', async () => {
  assert.equal((await run('all', undefined)).samples, 100);
  assert.equal((await run('strict', 1e-9)).samples, 100);
});

test('fewer are read once nothing grows by more than the share, and the report says how many, also from the cache', async () => {
  const first = await run('early', 1);
  assert.ok(first.samples < 100 && first.samples >= 32, `${first.samples} samples`);
  const second = await run('early', 1);
  assert.deepEqual([second.cached, second.samples], [true, first.samples]);
  // Those of fewer samples are not taken for those of all.
  assert.equal((await run('early', undefined)).cached, false);
});
