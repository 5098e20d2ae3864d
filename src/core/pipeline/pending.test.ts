/** The model and the table are there before the last figure is. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Progress } from '../../shared/progress';
import type { Report } from '../../shared/report';
import { chain } from '../convert/fixtures/chain';
import { serializeModel } from '../onnx/model';
import { quantizedIsCurrent } from '../reportFile';
import { quantize } from './quantize';

describe('a run that still measures', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-pending-'));
    writeFileSync(path.join(folder, 'chain.onnx'), serializeModel(chain(6, { channels: 2, side: 4 })));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  const inResults = (name: string): string => path.join(folder, 'chain.quant', name);
  const readBack = (): Report => JSON.parse(readFileSync(inResults('report.json'), 'utf8')) as Report;
  const run = (onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Report> => {
    const recipe = { model: 'chain.onnx', calibration: { data: 'synthetic', samples: 2 } };
    return quantize(
      { recipe, baseDir: folder },
      { onProgress, threads: 1, ...(signal === undefined ? {} : { signal }) },
    );
  };

  test('has written the model and the table of layers, which say what is missing', async () => {
    let first: Report | undefined;
    const messages = new Map<string, string | undefined>();
    const whole = await run((progress) => {
      messages.set(progress.stage, progress.message);
      if (progress.stage === 'analyze') first ??= readBack();
    });
    assert.ok(first);
    assert.deepEqual(first.pending, ['analyze', 'evaluate', 'benchmark']);
    assert.match(first.warnings[0] ?? '', /^Not measured: errors, accuracy and latency\./);
    assert.deepEqual(first.quantized, whole.quantized);
    assert.deepEqual(first.counts, whole.counts);
    const verdicts = ({ layers }: Report): unknown => layers.map(({ name, kernel, time }) => [name, kernel, time]);
    assert.deepEqual(verdicts(first), verdicts(whole));
    assert.ok(first.layers.every(({ local, accumulated }) => local === null && accumulated === null));
    assert.deepEqual([first.outputs, first.accuracy, first.latency], [[], null, null]);

    assert.match(messages.get('analyze') ?? '', /model is written; then accuracy and latency/);
    assert.match(messages.get('evaluate') ?? '', /then latency/);
    assert.equal(messages.get('verify'), undefined);

    assert.equal(whole.pending, undefined);
    assert.ok(!whole.warnings.some((warning) => warning.startsWith('Not measured')));
    assert.deepEqual(readBack(), JSON.parse(JSON.stringify(whole)));
    assert.equal(readdirSync(inResults('runs')).length, 1);
  });

  test('leaves them where it is ended, and the earlier run in the list', async () => {
    const controller = new AbortController();
    const ended = run(({ stage }) => {
      if (stage === 'evaluate') controller.abort();
    }, controller.signal);
    await assert.rejects(ended, { code: 'cancelled' });
    const left = readBack();
    assert.deepEqual(left.pending, ['analyze', 'evaluate', 'benchmark']);
    assert.ok(await quantizedIsCurrent(left));
    assert.equal(readdirSync(inResults('runs')).length, 1);
    assert.deepEqual(
      readdirSync(inResults('.')).filter((name) => name.startsWith('.')),
      [],
    );
  });
});
