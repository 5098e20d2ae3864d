/** Excluding a layer never makes the model worse: what the optimizer rounded before (microsoft/onnxruntime#23779). */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quantize } from '../../src/core/pipeline/quantize';
import { sqnrOf } from '../../src/shared/measured';
import type { Report } from '../../src/shared/report';
import { inData, missing, temporaryFolder } from './support';

describe('a layer kept in float', () => {
  const model = inData('cases', 'x01_conv', 'model.onnx');
  const data = inData('cases', 'x01_conv', 'calib.npz');
  for (const format of ['qdq', 'qoperator'] as const) {
    test(`x01_conv, ${format}`, { skip: missing(model, data) }, async () => {
      const run = (excluded: readonly string[]): Promise<Report> =>
        quantize({
          recipe: {
            model,
            format,
            calibration: { data },
            layers: excluded.map((select) => ({ select, quantize: false })),
          },
          baseDir: temporaryFolder(),
          outDir: temporaryFolder(),
        });
      const [all, without] = [await run([]), await run(['/b/Conv'])];
      const layer = without.layers.find(({ name }) => name === '/b/Conv');
      assert.deepEqual([layer?.status, layer?.kernel], ['float', 'Conv']);
      // onnxruntime in Python, with WeightBiasQuantization off: 35.17 dB.
      const [before, after] = [all, without].map(({ outputs }) => sqnrOf(outputs[0]?.error) ?? NaN);
      assert.ok(Math.abs(after! - 35.2) < 0.15, `${after} dB`);
      assert.ok(after! > before!);
    });
  }
});
