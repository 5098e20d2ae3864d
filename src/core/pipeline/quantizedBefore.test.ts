import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { quantize } from './quantize';

const SAMPLE = path.join(__dirname, '../../../samples/shapes.onnx');
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-again-'));
after(() => rmSync(folder, { recursive: true }));

test('a model that is quantized already is told of, a float one is not', async () => {
  const settings = { calibration: { data: 'synthetic', samples: 1 }, preprocess: 'tf' } as const;
  const first = await quantize({ recipe: { model: SAMPLE, ...settings }, baseDir: folder, outDir: 'first' });
  const recipe = { model: 'first/shapes.int8.onnx', ...settings };
  const second = await quantize({ recipe, baseDir: folder, outDir: 'second' });
  const told = [first, second].map(({ warnings }) => warnings.some((line) => line.includes('is quantized already')));
  assert.deepEqual(told, [false, true]);
});
