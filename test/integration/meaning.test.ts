/** What an error means: parts of an output apart, and what a random model can be compared by. Right values by NumPy and onnxruntime in Python. */

import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { graphOf, readModel } from '../../src/core/onnx/model';
import { randomNodes } from '../../src/core/reference/seed';
import { checkGates } from '../../src/shared/gates';
import { sqnrOf } from '../../src/shared/measured';
import { outputName, worstOutput } from '../../src/shared/outputs';
import type { Report } from '../../src/shared/report';
import { inData, missing, reportOf, runCli, temporaryFolder } from './support';

async function quantized(name: string, data: string): Promise<Report> {
  const folder = inData('cases', name);
  const out = path.join(temporaryFolder(), 'out');
  const args = ['quantize', path.join(folder, 'model.onnx'), '--data', path.join(folder, data), '--out', out, '--json'];
  return reportOf(await runCli(args));
}

describe('boxes and scores in one output', { skip: missing(inData('cases/o20')) }, () => {
  test('the scores are the headline, and the gate sees them', async () => {
    const report = await quantized('o20', 'calib.npz');
    const [output] = report.outputs;
    const figures = output?.parts?.map(({ where, error }) => [where, sqnrOf(error)?.toFixed(1)]);
    assert.deepEqual(figures, [
      ['[:, 0:4]', '72.9'],
      ['[:, 4:8]', '9.0'],
    ]);
    assert.ok(sqnrOf(output!.error)! > 60, 'over both, the boxes hide the scores');
    assert.equal(outputName(worstOutput(report)!), 'output0[:, 4:8]');
    const [gate] = checkGates({ ...report, recipe: { ...report.recipe, gates: { 'min-output-sqnr': 20 } } });
    assert.deepEqual([gate?.passed, gate?.measured?.toFixed(1)], [false, '9.0']);
  });
});

describe('noise that is made inside the model', { skip: missing(inData('cases/o08_noise')) }, () => {
  test('is said, and both models get the same; what is written has no seed of ours', async () => {
    const report = await quantized('o08_noise', 'calib.jsonl');
    assert.deepEqual(report.random?.nodes, ['/Noise']);
    assert.equal(report.random.repeats, true);
    assert.match(report.warnings.join('\n'), /The model is random \("\/Noise"\)/);
    // Without the noise 37.9 dB; with other noise in each model 1.4.
    const sqnr = sqnrOf(worstOutput(report)!.error)!;
    assert.ok(Math.abs(sqnr - 37.9) < 1.5, `${sqnr} dB`);
    const written = await readModel(report.quantized!.path);
    const seeds = randomNodes(graphOf(written)).map(({ attribute }) => attribute.map(({ name }) => name));
    assert.deepEqual(seeds, [[]]);
  });
});
