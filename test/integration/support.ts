/** What the integration tests share: the program as users run it, the real models and images, and temporary folders. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after } from 'node:test';
import type { Preprocess } from '../../src/shared/recipe';
import type { Report } from '../../src/shared/report';

export const ROOT = path.resolve(__dirname, '../..');
/** Real models and images, which are no part of the project. */
export const DATA = path.resolve(ROOT, '../shared/data');
export const SAMPLES = path.join(ROOT, 'samples');
export const CLI = path.join(ROOT, 'dist/cli.js');

/** For `{ skip }`: why a test that needs these paths cannot run, else `false`. */
export function missing(...paths: readonly string[]): string | false {
  const absent = [CLI, ...paths].find((file) => !existsSync(file));
  if (absent === undefined) return false;
  return absent === CLI ? 'dist/cli.js is missing: npm run build' : `there is no ${path.relative(ROOT, absent)}`;
}

export const inData = (...parts: readonly string[]): string => path.join(DATA, ...parts);

/** A folder that goes when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'quantscope-test-'));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function subfolder(...parts: readonly string[]): string {
  const folder = path.join(...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In a process group of its own, which a signal can be sent to as a whole. */
  readonly detached?: boolean;
}

/** A command that is still running. */
export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

export function start(
  command: string,
  args: readonly string[],
  { cwd = ROOT, env = {}, detached = false }: RunOptions = {},
): Running {
  const environment = { ...process.env, ...env };
  const child = spawn(command, args, { cwd, env: environment, detached, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  return { child, finished };
}

export function startCli(args: readonly string[], options?: RunOptions): Running {
  return start(process.execPath, [CLI, ...args], options);
}

export function runCli(args: readonly string[], options?: RunOptions): Promise<Finished> {
  return startCli(args, options).finished;
}

/** The one JSON document that `--json` promises. */
export function documentOf({ stdout, stderr }: Finished): unknown {
  assert.match(stdout, /^\{.*\}\n$/s, `standard output is not one document; standard error: ${stderr}`);
  return JSON.parse(stdout);
}

export function reportOf(finished: Finished): Report {
  assert.equal(finished.code, 0, finished.stdout.slice(0, 2000) + finished.stderr);
  return documentOf(finished) as Report;
}

/** The code of a failure that `--json` told. */
export function errorCodeOf(finished: Finished): string {
  return (documentOf(finished) as { error: { code: string } }).error.code;
}

/** A model with the images and the preprocessing that it was trained on. */
export interface ImageModel {
  readonly file: string;
  readonly images: string;
  readonly preprocess: Preprocess;
}

const SQUEEZENET: Omit<ImageModel, 'file'> = {
  images: 'images/imagenet/calibration',
  preprocess: { resize: { mode: 'shorter-side', size: 256 }, crop: 224, color: 'bgr', mean: [104, 117, 123] },
};

export const IMAGE_MODELS = {
  squeezenet: { file: 'squeezenet.onnx', ...SQUEEZENET },
  squeezenetHalf: { file: 'squeezenet_fp16.onnx', ...SQUEEZENET },
  mobilenet: {
    file: 'mobilenetv1_025_128.onnx',
    images: 'images/imagenet/calibration',
    preprocess: { preset: 'tf', resize: { mode: 'shorter-side', size: 146 }, crop: 128, color: 'rgb' },
  },
  resnet8: {
    file: 'resnet8_cifar10.onnx',
    images: 'images/cifar10/calibration',
    preprocess: { resize: { mode: 'exact', size: 32 }, color: 'rgb' },
  },
  mnist: {
    file: 'mnist.onnx',
    images: 'images/mnist/calibration',
    preprocess: { resize: { mode: 'exact', size: 28 }, color: 'gray' },
  },
  ultraface: {
    file: 'ultraface_rfb320.onnx',
    images: 'images/faces',
    preprocess: { resize: { mode: 'exact', size: [320, 240] }, color: 'rgb', mean: 127, std: 128 },
  },
  fastestdet: {
    file: 'fastestdet.onnx',
    images: 'images/scenes',
    preprocess: { resize: { mode: 'exact', size: 352 }, color: 'bgr', std: 255 },
  },
  portrait: {
    file: 'portrait_sinet.onnx',
    images: 'images/faces',
    preprocess: { resize: { mode: 'exact', size: 320 }, color: 'rgb', mean: 127.5, std: 127.5 },
  },
  superResolution: {
    file: 'super_resolution_core_op18.onnx',
    images: 'images/scenes',
    preprocess: { resize: { mode: 'exact', size: 224 }, color: 'y', std: 255 },
  },
} as const satisfies Readonly<Record<string, ImageModel>>;

/** Arguments of `quantize` for a model of the data folder. */
export function quantizeArguments(model: ImageModel, out: string, samples: number): string[] {
  const { file, images, preprocess } = model;
  return [
    'quantize',
    inData('models', file),
    ...['--data', inData(images), '--samples', String(samples), '--out', out],
    ...['--preprocess', JSON.stringify(preprocess), '--json'],
  ];
}
