import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { checkGates } from '../../shared/gates';
import { isIncomparable } from '../../shared/measured';
import type { Report } from '../../shared/report';
import { buildModel, f32, node } from '../normalize/fixtures/models';
import { serializeModel } from '../onnx/model';
import { priceFixes } from '../tune/prices';
import { tune } from '../tune/tune';
import { findCulprits } from './culprits';
import { quantize } from './quantize';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-nothing-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** y = relu(x · w) with some weights that are no numbers. */
function write(name: string, weights: readonly number[]): string {
  const nodes = [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])];
  const spec = { opset: 17, nodes, inputs: { x: [2, 2] }, constants: { w: f32([2, 3], weights) }, outputs: ['y'] };
  const file = path.join(folder, name);
  writeFileSync(file, serializeModel(buildModel(spec)));
  return file;
}

const run = (model: string): Promise<Report> =>
  quantize({
    recipe: {
      model,
      calibration: { data: 'synthetic', samples: 3 },
      gates: { 'min-output-sqnr': 1, 'max-layers-below': { sqnr: 1 } },
    },
    ...{ baseDir: folder, outDir: `${model}.out` },
  });

describe('an fp32 model without a finite output', () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    test(`weights of ${value}: nothing is exact, no gate passes, and nothing is tried`, async () => {
      const model = write(`all${value}.onnx`, [value, value, value, value, value, value]);
      const report = await run(model);
      // A ReLU makes zeros of −∞, which are numbers to compare.
      const zeros = report.outputs[0]!.error;
      if (!isIncomparable(zeros)) {
        assert.notEqual(zeros.share, undefined);
        return;
      }
      assert.ok(
        report.layers.every(({ local, accumulated }) =>
          [local, accumulated].every((e) => e === null || isIncomparable(e)),
        ),
      );
      assert.deepEqual(
        checkGates(report).map(({ passed }) => passed),
        [false, false],
      );
      assert.equal(report.accuracy?.agreement ?? null, null);
      assert.match(report.warnings.join('\n'), /Nothing of the output "y" could be compared/);
      const file = path.join(`${model}.out`, 'report.json');
      const refused = { code: 'not-comparable' };
      await assert.rejects(priceFixes({ report: file, baseDir: folder }), refused);
      await assert.rejects(findCulprits({ report: file, baseDir: folder }), refused);
      const { recipe } = report;
      await assert.rejects(tune({ recipe, baseDir: folder, outDir: `${model}.out`, goal: { minSqnr: 1 } }), refused);
    });
  }

  test('a part that is finite is compared, and the share is told', async () => {
    const report = await run(write('part.onnx', [1, NaN, 0.5, -1, NaN, 2]));
    const { error } = report.outputs[0]!;
    assert.ok(!isIncomparable(error));
    assert.ok(Math.abs(error.share! - 2 / 3) < 1e-9, `${error.share}`);
    assert.match(report.warnings.join('\n'), /The error of the output "y" is that of 66\.7 % of its values/);
  });
});
