import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import type { LayerOverride } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import { inspectModel } from './inspect';
import { quantize } from './quantize';

const SAMPLE = path.join(__dirname, '../../../samples/shapes.onnx');
const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-again-'));
after(() => rmSync(folder, { recursive: true }));

const settings = { calibration: { data: 'synthetic', samples: 1 }, preprocess: 'tf' } as const;
const CLASSIFIER = '/head/classifier/Gemm';
const TOLD = /^The model is quantized already: it has \d+ operators such as \w+/;

for (const format of ['qdq', 'qoperator'] as const) {
  test(`${format}: what is quantized already is told when looked at, and quantized again only where a layer is left`, async () => {
    const run = (model: string, outDir: string, layers: LayerOverride[] = []): Promise<Report> =>
      quantize({ recipe: { model, format, layers, ...settings }, baseDir: folder, outDir: `${format}/${outDir}` });
    const told = ({ warnings }: { readonly warnings: readonly string[] }): boolean =>
      warnings.some((line) => TOLD.test(line));
    const look = async (model: string): Promise<boolean> => told(await inspectModel({ model, baseDir: folder }));

    const first = await run(SAMPLE, 'first', [{ select: CLASSIFIER, quantize: false }]);
    assert.deepEqual([told(first), await look(SAMPLE)], [false, false]);
    const part = `${format}/first/shapes.int8.onnx`;
    const second = await run(part, 'second');
    assert.deepEqual([told(second), await look(part)], [true, true]);
    assert.equal(second.layers.find(({ name }) => name === CLASSIFIER)?.status, 'quantized');
    const whole = `${format}/second/shapes.int8.int8.onnx`;
    await assert.rejects(run(whole, 'third'), { code: 'plan-impossible', message: TOLD, hint: /fp32 model/ });
    assert.ok(!existsSync(path.join(folder, format, 'third')));
  });
}
