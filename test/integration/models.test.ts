import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { openDataset } from '../../src/core/data/dataset';
import type { Feeds } from '../../src/core/data/types';
import { openSession } from '../../src/core/runtime/session';
import { toFloat32 } from '../../src/core/tensor';
import { preprocessOf, type Format, type Mode } from '../../src/shared/recipe';
import type { Report } from '../../src/shared/report';
import { checkReport, checkRuns } from './reportChecks';
import {
  documentOf,
  errorCodeOf,
  IMAGE_MODELS,
  inData,
  missing,
  quantizeArguments,
  reportOf,
  runCli,
  temporaryFolder,
} from './support';
import { sortCases, writeMagikaSamples, writeSortCases, writeSpeechWindows } from './tokens';

const SAMPLES = 4;

async function feedsFor({ recipe, model }: Report, count: number): Promise<Feeds[]> {
  const dataset = await openDataset(recipe.calibration!.data, model.inputs, {
    baseDir: '/',
    preprocess: preprocessOf(recipe.preprocess),
    samples: count,
  });
  const feeds: Feeds[] = [];
  for await (const sample of dataset.samples()) feeds.push(sample.feeds);
  return feeds;
}

async function checkResult(report: Report): Promise<void> {
  assert.ok(report.counts.quantized > 0, 'something runs in int8');
  assert.deepEqual(report.calibration?.skipped, []);
  await checkReport(report);
  await checkRuns(report, await feedsFor(report, 2));
}

describe('every image model quantizes, loads and runs, and its report is true', () => {
  for (const [name, model] of Object.entries(IMAGE_MODELS)) {
    const skip = missing(inData('models', model.file), inData(model.images));
    test(name, { skip }, async () => {
      const report = reportOf(await runCli(quantizeArguments(model, temporaryFolder(), SAMPLES)));
      assert.equal(report.calibration?.samples, SAMPLES);
      assert.ok(report.quantized!.bytes < report.model.bytes, 'int8 is smaller');
      await checkResult(report);
    });
  }
});

const SQUEEZENET = IMAGE_MODELS.squeezenet;

test(
  'squeezenet: every float tensor is compared, those before a folded activation after it',
  { skip: missing(inData('models', SQUEEZENET.file), inData(SQUEEZENET.images)) },
  async () => {
    const report = reportOf(await runCli(quantizeArguments(SQUEEZENET, temporaryFolder(), SAMPLES)));
    const rest = report.unmatched.filter(({ why }) => !why.startsWith('before a fused Relu; compared after it'));
    assert.deepEqual(rest, []);
    const without = report.layers.filter(({ accumulated }) => accumulated === null);
    assert.deepEqual(without, []);
  },
);

describe('other forms', () => {
  const forms: readonly [keyof typeof IMAGE_MODELS, Mode, Format][] = [
    ['squeezenet', 'static', 'qoperator'],
    ['mobilenet', 'static', 'qoperator'],
    ['resnet8', 'static', 'qoperator'],
    ['ultraface', 'static', 'qoperator'],
    ['resnet8', 'dynamic', 'qdq'],
    ['mnist', 'dynamic', 'qdq'],
    ['mobilenet', 'weight-only', 'qdq'],
    ['portrait', 'weight-only', 'qdq'],
  ];
  for (const [name, mode, format] of forms) {
    const model = IMAGE_MODELS[name];
    const skip = missing(inData('models', model.file), inData(model.images));
    test(`${name}, ${mode}, ${format}`, { skip }, async () => {
      const args = quantizeArguments(model, temporaryFolder(), SAMPLES);
      const report = reportOf(await runCli([...args, '--mode', mode, '--format', format]));
      assert.deepEqual([report.mode, report.format], [mode, format]);
      await checkResult(report);
    });
  }
});

/** How many of all cases the model sorts right. */
async function sorted(file: string): Promise<number> {
  const session = await openSession(file, { threads: 1 });
  let right = 0;
  for (const { idx, target } of sortCases()) {
    const data = BigInt64Array.from(idx, BigInt);
    const { logits } = await session.run({ idx: { type: 'int64', dims: [1, idx.length], data } });
    const values = toFloat32(logits!);
    const classes = logits!.dims.at(-1)!;
    const said = idx.map((_, position) => {
      const scores = values.subarray(position * classes, (position + 1) * classes);
      return scores.indexOf(Math.max(...scores));
    });
    if (said.slice(-target.length).every((digit, i) => digit === target[i])) right++;
  }
  await session.close();
  return right;
}

describe('the GPT that sorts', () => {
  const model = inData('models/gpt_nano_sort.onnx');
  const skip = missing(model, inData('labels/gpt_nano_sort_cases.json'));
  const floors: readonly [Mode, number][] = [
    ['static', 720],
    ['dynamic', 720],
    ['weight-only', 727],
  ];
  for (const [mode, floor] of floors) {
    test(mode, { skip }, async (context) => {
      const folder = temporaryFolder();
      const data = writeSortCases(folder);
      const args = ['quantize', model, '--data', data, '--mode', mode, '--out', path.join(folder, 'out'), '--json'];
      const report = reportOf(await runCli(args));
      await checkResult(report);
      const [before, after] = [await sorted(model), await sorted(report.quantized!.path)];
      context.diagnostic(`${mode}: ${before} of 729 right in fp32, ${after} in int8`);
      assert.equal(before, 729);
      assert.ok(after >= floor, `${after} of 729 cases are right`);
    });
  }
});

describe('the classifier of bytes', () => {
  const model = inData('models/magika_v3_3.onnx');
  const skip = missing(model, inData('labels/magika_v3_3_config.json'), inData('audio'), inData('images/cifar10'));
  for (const mode of ['static', 'dynamic'] as const) {
    test(mode, { skip }, async () => {
      const folder = temporaryFolder();
      const data = writeMagikaSamples(folder);
      const args = ['quantize', model, '--data', data, '--mode', mode, '--out', path.join(folder, 'out'), '--json'];
      const report = reportOf(await runCli(args));
      assert.ok(report.accuracy!.agreement! >= 80, `agrees on ${report.accuracy?.agreement} % of the files`);
      await checkResult(report);
    });
  }
});

test(
  'the speech detector, with subgraphs, three inputs and a state',
  {
    skip: missing(inData('models/silero_vad_16k_op15.onnx'), inData('audio/silero_test.wav')),
  },
  async () => {
    const folder = temporaryFolder();
    const data = writeSpeechWindows(folder, 16);
    const model = inData('models/silero_vad_16k_op15.onnx');
    const report = reportOf(
      await runCli(['quantize', model, '--data', data, '--out', path.join(folder, 'out'), '--json']),
    );
    await checkReport(report);
    await checkRuns(report, await feedsFor(report, 4));
  },
);

describe('what cannot be quantized is refused with its code, and nothing is written', () => {
  const rows: readonly [string, string][] = [
    ['super_resolution_no_opset_import.onnx', 'opset-missing'],
    ['super_resolution_prepost_op18_needs_extensions.onnx', 'custom-op'],
  ];
  for (const [file, code] of rows) {
    const model = inData('models/bad', file);
    test(file, { skip: missing(model) }, async () => {
      const out = path.join(temporaryFolder(), 'out');
      const finished = await runCli(['quantize', model, '--data', inData('images/scenes'), '--out', out, '--json']);
      assert.equal(finished.code, 2);
      assert.equal(errorCodeOf(finished), code);
      assert.equal(existsSync(out), false);
      const inspected = await runCli(['inspect', model, '--json']);
      assert.equal(inspected.code, 2);
      assert.equal((documentOf(inspected) as { error: { code: string } }).error.code, code);
    });
  }
});
