/** Samples of the models that read no images, as JSONL files. */

import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { inData, ROOT, SAMPLES } from './support';

export interface SortCase {
  /** Six digits and the first five of them sorted. */
  readonly idx: readonly number[];
  /** What the last six positions should say. */
  readonly target: readonly number[];
}

export function sortCases(): SortCase[] {
  return JSON.parse(readFileSync(inData('labels/gpt_nano_sort_cases.json'), 'utf8')) as SortCase[];
}

function writeLines(folder: string, name: string, samples: readonly object[]): string {
  const file = path.join(folder, name);
  writeFileSync(file, samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
  return file;
}

export function writeSortCases(folder: string): string {
  return writeLines(
    folder,
    'sort.jsonl',
    sortCases().map(({ idx }) => ({ idx: [idx] })),
  );
}

interface MagikaConfig {
  readonly beg_size: number;
  readonly end_size: number;
  readonly padding_token: number;
}

/** Files of many types that are at hand; their first and last bytes, padded, are what the classifier reads. */
export function writeMagikaSamples(folder: string): string {
  const files = [
    ...['package.json', 'esbuild.config.mjs', 'LICENSE', 'tsconfig.json', 'src/core/tensor.ts', 'dist/cli.js'],
    ...['samples/train.py', 'samples/shapes.onnx', 'samples/shapes.quant.yaml', 'samples/README.md'],
  ].map((file) => path.join(ROOT, file));
  files.push(path.join(SAMPLES, 'images/calibration/000.png'), path.join(SAMPLES, 'images/labels.tsv'));
  files.push(inData('audio/silero_test.wav'), inData('images/cifar10/calibration/airplane_0000.jpg'));
  const config = JSON.parse(readFileSync(inData('labels/magika_v3_3_config.json'), 'utf8')) as MagikaConfig;
  const { beg_size: head, end_size: tail, padding_token: padding } = config;
  const samples = files.map((file) => {
    const content = [...readFileSync(file)];
    const first = content.slice(0, head);
    const last = content.slice(-tail);
    const filler = (length: number): number[] => new Array<number>(length).fill(padding);
    return { bytes: [[...first, ...filler(head - first.length), ...filler(tail - last.length), ...last]] };
  });
  return writeLines(folder, 'bytes.jsonl', samples);
}

const WAV_HEADER_BYTES = 44;
const WINDOW = 576;

/** Windows of a 16-bit mono recording, spread over all of it, with the state that a recording begins with. */
export function writeSpeechWindows(folder: string, count: number): string {
  const wav = readFileSync(inData('audio/silero_test.wav'));
  const frames = Math.floor((wav.byteLength - WAV_HEADER_BYTES) / 2);
  const state = [0, 1].map(() => [new Array<number>(128).fill(0)]);
  const samples = Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * (frames - WINDOW)) / count);
    const input = Array.from(
      { length: WINDOW },
      (__, i) => wav.readInt16LE(WAV_HEADER_BYTES + 2 * (start + i)) / 32768,
    );
    return { input: [input], state, sr: 16000 };
  });
  return writeLines(folder, 'speech.jsonl', samples);
}
