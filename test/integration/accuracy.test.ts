import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import type { Report } from '../../src/shared/report';
import {
  CLI,
  IMAGE_MODELS,
  inData,
  missing,
  quantizeArguments,
  reportOf,
  ROOT,
  start,
  temporaryFolder,
} from './support';

const CALIBRATION_IMAGES = 100;
const MASK = path.join(ROOT, 'test/isa/avx2.mjs');
const CANNOT_MASK = 77;

interface Expected {
  readonly model: keyof typeof IMAGE_MODELS;
  readonly validation: string;
  readonly labels: string;
  /** Points of top-1 that int8 may lose. */
  readonly loss: number;
  /**
   * Percent of images with fp32's own top-1 class. For MobileNet, ResNet8 and MNIST the best of all settings of
   * onnxruntime's quantizer on the same images, on a CPU without VNNI (`bench/`).
   */
  readonly agreement: number;
}

const IMAGENET = { validation: 'images/imagenet/validation', labels: 'labels/imagenet_validation.tsv' };
const EXPECTED: readonly Expected[] = [
  { model: 'squeezenet', ...IMAGENET, loss: 1, agreement: 94 },
  { model: 'mobilenet', ...IMAGENET, loss: 2.5, agreement: 78 },
  {
    model: 'resnet8',
    validation: 'images/cifar10/validation',
    labels: 'labels/cifar10_validation.tsv',
    loss: 1,
    agreement: 96.8,
  },
  {
    model: 'mnist',
    validation: 'images/mnist/validation',
    labels: 'labels/mnist_validation.tsv',
    loss: 0.5,
    agreement: 100,
  },
];

/** Share of pair products; what the choice of weights per layer leaves is at most this. */
const CLIPPED = 1e-4;

async function quantize(expected: Expected, before: readonly string[]): Promise<Report> {
  const model = IMAGE_MODELS[expected.model];
  const args = [
    ...before,
    CLI,
    ...quantizeArguments(model, temporaryFolder(), CALIBRATION_IMAGES),
    ...['--validate', inData(expected.validation), '--labels', inData(expected.labels)],
  ];
  return reportOf(await start(process.execPath, args).finished);
}

function check({ loss, agreement }: Expected, report: Report): string {
  const { accuracy, environment } = report;
  const { fp32, int8 } = accuracy!.top1!;
  const figures = `top-1 ${fp32} % in fp32, ${int8} % in int8, agreement ${accuracy!.agreement} % on ${environment.isa}`;
  assert.equal(report.calibration?.samples, CALIBRATION_IMAGES);
  assert.ok(fp32 - int8 <= loss, figures);
  assert.ok(accuracy!.agreement! >= agreement, figures);
  return figures;
}

/** Why this machine cannot run as one without VNNI, else `false`; found out once, for it may build the mask. */
function cannotMask(): string | false {
  const { status, stderr } = spawnSync(process.execPath, [MASK, '--print-env'], { encoding: 'utf8' });
  if (status === CANNOT_MASK) return stderr.trim();
  assert.equal(status, 0, stderr);
  return false;
}

const cases = EXPECTED.map((expected) => {
  const { file, images } = IMAGE_MODELS[expected.model];
  const skip = missing(
    inData('models', file),
    ...[images, expected.validation, expected.labels].map((part) => inData(part)),
  );
  return { expected, skip };
});

describe('accuracy with default settings on this CPU', () => {
  for (const { expected, skip } of cases) {
    test(expected.model, { skip }, async (context) => {
      context.diagnostic(check(expected, await quantize(expected, [])));
    });
  }
});

const unmasked = cases.every(({ skip }) => skip !== false) ? false : cannotMask();

describe('accuracy with default settings on a CPU without VNNI', () => {
  for (const { expected, skip } of cases) {
    test(expected.model, { skip: skip === false ? unmasked : skip }, async (context) => {
      const report = await quantize(expected, [MASK, process.execPath]);
      assert.deepEqual([report.environment.saturates, report.environment.isa], [true, 'avx2']);
      context.diagnostic(check(expected, report));
      const clipping = report.layers.filter(({ saturation }) => (saturation ?? 0) > CLIPPED);
      assert.deepEqual(
        clipping.map(({ name, saturation }) => [name, saturation]),
        [],
      );
    });
  }
});
