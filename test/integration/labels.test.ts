import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { errorCodeOf, missing, reportOf, runCli, SAMPLES, temporaryFolder, type Finished } from './support';

const LABELS = path.join(SAMPLES, 'images/labels.tsv');
const PREPROCESS = JSON.stringify({ color: 'rgb', scale: 1 / 127.5, mean: 1 });

/** Quantizes the sample and judges it by these labels. */
function judged(lines: readonly string[]): Promise<Finished> {
  const folder = temporaryFolder();
  const labels = path.join(folder, 'labels.tsv');
  writeFileSync(labels, `${lines.join('\n')}\n`);
  return runCli([
    ...['quantize', path.join(SAMPLES, 'shapes.onnx'), '--data', path.join(SAMPLES, 'images/calibration')],
    ...['--samples', '8', '--preprocess', PREPROCESS, '--validate', path.join(SAMPLES, 'images/validation')],
    ...['--labels', labels, '--out', path.join(folder, 'out'), '--json'],
  ]);
}

describe('labels that do not fit', { skip: missing(LABELS) }, () => {
  const right = readFileSync(LABELS, 'utf8').trim().split('\n');

  test('of none of the samples, and of classes that there are not, are refused: no gate may pass by them', async () => {
    for (const lines of [['other.png\t3'], right.map((line) => line.replace(/\d+$/, '999'))]) {
      const finished = await judged(lines);
      assert.deepEqual([finished.code, errorCodeOf(finished)], [2, 'labels-invalid'], finished.stderr);
    }
  });

  test('of a few of the samples, the report says of how many', async () => {
    const { accuracy, warnings } = reportOf(await judged(right.slice(0, 5)));
    assert.deepEqual([accuracy?.labelled, accuracy?.samples], [5, 300]);
    assert.ok(accuracy?.top1);
    assert.ok(
      warnings.some((warning) => warning.includes('only 5 have a label')),
      warnings.join('\n'),
    );
  });
});
