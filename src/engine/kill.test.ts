/** The real engine, killed at any moment of a real job: what was there before is still whole, and the next run succeeds. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { bundlePrograms } from '../../test/helpers/bundle';
import { parseModel } from '../core/onnx/model';
import { VERSION } from '../core/version';
import { QuantscopeError } from '../shared/errors';
import type { Report } from '../shared/report';
import { EngineClient } from './client';

const SAMPLES = path.join(__dirname, '../../samples');
const KILLS = 10;

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-kill-'));
const bundles = bundlePrograms();
const client = new EngineClient({ version: VERSION, entry: bundles.engine, execArgv: [] });
after(async () => {
  await client.dispose();
  bundles.remove();
  rmSync(folder, { recursive: true, force: true });
});

const results = path.join(folder, 'shapes.quant');

function quantize(signal?: AbortSignal): Promise<Report> {
  return client.request(
    'quantize',
    {
      recipe: {
        model: 'shapes.onnx',
        calibration: { data: path.join(SAMPLES, 'images/calibration'), samples: 8 },
        preprocess: 'tf',
      },
      baseDir: folder,
    },
    signal === undefined ? {} : { signal },
  );
}

/** Every file that has its final name is whole. */
function checkWhole(): void {
  if (!existsSync(results)) return;
  for (const name of readdirSync(results)) {
    const file = path.join(results, name);
    if (name.endsWith('.tmp')) continue;
    if (name.endsWith('.json')) JSON.parse(readFileSync(file, 'utf8'));
    if (name.endsWith('.onnx')) parseModel(readFileSync(file));
  }
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function settled(running: Promise<unknown>, code: string): Promise<void> {
  await running.catch((error: unknown) => {
    assert.ok(error instanceof QuantscopeError, String(error));
    assert.equal(error.code, code);
  });
}

describe('a killed run', () => {
  test(`${KILLS} kills leave no half-written file, and the next run succeeds and tidies up`, async () => {
    copyFileSync(path.join(SAMPLES, 'shapes.onnx'), path.join(folder, 'shapes.onnx'));
    await quantize();
    rmSync(results, { recursive: true });
    const start = performance.now();
    await quantize();
    const duration = performance.now() - start;
    rmSync(results, { recursive: true });
    for (let i = 0; i < KILLS; i++) {
      const running = quantize();
      // Spread over the whole run, the writing at its end included.
      await wait(((i + Math.random()) / KILLS) * duration * 1.2);
      const { pid } = client;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      await settled(running, 'engine-crashed');
      checkWhole();
      // What a kill in the middle of a write leaves.
      if (pid !== undefined && existsSync(results)) {
        writeFileSync(path.join(results, `.report.json.${pid}-0123456789ab.tmp`), '{');
      }
    }
    const report = await quantize();
    assert.ok(report.quantized !== null && existsSync(report.quantized.path));
    checkWhole();
    assert.deepEqual(
      readdirSync(results).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  test('so does a cancelled one, in time', async () => {
    const controller = new AbortController();
    const running = quantize(controller.signal);
    await wait(200);
    controller.abort();
    await settled(running, 'cancelled');
    checkWhole();
    assert.ok((await quantize()).layers.length > 0);
  });
});
