/** On a model that hands its input on, so that the samples are the scores. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeTinyModel } from '../../../test/helpers/tinyModel';
import type { EvaluateInput } from '../../shared/evaluation';
import type { Progress } from '../../shared/progress';
import { evaluate } from './evaluate';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-evaluate-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SCORES = [
  [9, 1, 0, 0, 0, 0, 0],
  [1, 9, 0, 0, 0, 0, 0],
  [6, 5, 4, 3, 2, 1, 0],
  [6, 5, 4, 3, 2, 1, 0],
];

const INPUT: EvaluateInput = { model: 'net.onnx', data: 'data.jsonl', labels: 'labels.tsv', baseDir: folder };

function writeLabels(name: string, labels: readonly (readonly [sample: number, label: number])[]): string {
  writeFileSync(path.join(folder, name), labels.map(([sample, label]) => `data.jsonl#${sample}\t${label}\n`).join(''));
  return name;
}

before(async () => {
  await writeTinyModel(path.join(folder, 'net.onnx'), ['N', 7]);
  await writeTinyModel(path.join(folder, 'map.onnx'), [1, 7, 3]);
  writeFileSync(path.join(folder, 'data.jsonl'), SCORES.map((x) => JSON.stringify({ x: [x] })).join('\n'));
  writeLabels('labels.tsv', [
    [0, 0],
    [1, 0],
    [2, 4],
    [3, 5],
  ]);
});

describe('evaluate', () => {
  test('top-1 and top-5 of known scores, with progress', async () => {
    const seen: Progress[] = [];
    const result = await evaluate(INPUT, { onProgress: (progress) => seen.push(progress) });
    const { milliseconds, ...figures } = result;
    assert.deepEqual(figures, {
      ...{ model: path.join(folder, 'net.onnx'), output: 'y', classes: 7, samples: 4, top1: 25, top5: 75 },
      ...{ unlabelled: 0, missing: 0, skipped: [] },
    });
    assert.ok(milliseconds > 0);
    assert.deepEqual(
      seen.map(({ stage, done, total }) => [stage, done, total]),
      [0, 1, 2, 3, 4].map((done) => ['evaluate', done, 4]),
    );
  });

  test('samples without label are counted and not run, labels without sample counted', async () => {
    const labels = writeLabels('few.tsv', [
      [0, 0],
      [9, 3],
    ]);
    const { samples, unlabelled, missing, top1 } = await evaluate({ ...INPUT, labels });
    assert.deepEqual([samples, unlabelled, missing, top1], [1, 3, 1, 100]);
  });

  test('labels that fit nothing, labels beyond the classes, outputs that are no scores', async () => {
    const none = writeLabels('none.tsv', [[77, 0]]);
    await assert.rejects(evaluate({ ...INPUT, labels: none }), { code: 'labels-invalid', message: /data\.jsonl#0/ });
    const high = writeLabels('high.tsv', [[0, 7]]);
    await assert.rejects(evaluate({ ...INPUT, labels: high }), {
      code: 'labels-invalid',
      message: /class 7.* 7 classes/,
    });
    writeFileSync(path.join(folder, 'map.jsonl'), JSON.stringify({ x: [new Array(7).fill([1, 2, 3])] }));
    writeFileSync(path.join(folder, 'map.tsv'), 'map.jsonl#0\t0\n');
    const map = evaluate({ ...INPUT, model: 'map.onnx', data: 'map.jsonl', labels: 'map.tsv' });
    await assert.rejects(map, { code: 'data-invalid', message: /"y" \[1, 7, 3\]/ });
  });

  test('stops when it is cancelled', async () => {
    await assert.rejects(evaluate(INPUT, { signal: AbortSignal.abort() }), { code: 'cancelled' });
  });
});
