/**
 * `npm run build && npx tsx bench/observers.ts [SAMPLES]`: what a run spends on calibrating SqueezeNet, for all observers
 * at once, beside a pass over the same images that keeps the least and the largest value of each tensor and nothing
 * else, and lets the model tell them, so that no tensor is read out of it. In turns; checks that both saw the same
 * values; prints Markdown. The model and images are looked for in `../shared/data`, as in the tests.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import * as path from 'node:path';
import { median } from '../src/core/benchmark/statistics';
import { openDataset } from '../src/core/data/dataset';
import type { Dataset } from '../src/core/data/types';
import { graphOf, makeNode } from '../src/core/onnx/model';
import { prepare, type Prepared } from '../src/core/pipeline/prepare';
import { nameOnly, withOutputs } from '../src/core/runtime/inspect';
import { openSession } from '../src/core/runtime/session';
import type { Preprocess } from '../src/shared/recipe';
import type { Report, TensorReport } from '../src/shared/report';

const CLI = path.resolve(__dirname, '../dist/cli.js');
const DATA = process.env['QUANTSCOPE_DATA'] ?? path.resolve(__dirname, '../../shared/data');
const PREPROCESS: Preprocess = {
  resize: { mode: 'shorter-side', size: 256 },
  crop: 224,
  color: 'bgr',
  mean: [104, 117, 123],
};
const DEFAULT_SAMPLES = 100;
const ROUNDS = 7;

interface Extremes {
  readonly min: number;
  readonly max: number;
}

/** Calibrates as if min-max were the only observer: the model itself tells the extremes, as the peer's does. */
async function extremesAlone(
  { model }: Prepared,
  names: readonly string[],
  dataset: Dataset,
): Promise<ReadonlyMap<string, Extremes>> {
  const measuring = withOutputs(model, []);
  const graph = graphOf(measuring);
  for (const name of names) {
    for (const op of ['ReduceMin', 'ReduceMax']) {
      const output = `${name}__${op}`;
      graph.node.push(makeNode({ op, name: output, inputs: [name], outputs: [output], attributes: { keepdims: 0 } }));
      graph.output.push(nameOnly(output));
    }
  }
  const session = await openSession(measuring);
  const fetches = names.flatMap((name) => [`${name}__ReduceMin`, `${name}__ReduceMax`]);
  const extremes = new Map<string, Extremes>();
  for await (const { feeds } of dataset.samples()) {
    const results = await session.run(feeds, fetches);
    const value = (output: string): number => Number(results[output]!.data[0]);
    for (const name of names) {
      const { min, max } = extremes.get(name) ?? { min: Infinity, max: -Infinity };
      extremes.set(name, {
        min: Math.min(min, value(`${name}__ReduceMin`)),
        max: Math.max(max, value(`${name}__ReduceMax`)),
      });
    }
  }
  await session.close();
  return extremes;
}

/** What a run spends on its calibration, for all observers at once: its report says it. */
function calibrated(folder: string, args: readonly string[]): Report {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args, '--out', folder, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}

async function main(): Promise<void> {
  const samples = Number(process.argv[2] ?? DEFAULT_SAMPLES);
  const model = path.join(DATA, 'models/squeezenet.onnx');
  const data = path.join(DATA, 'images/imagenet/calibration');
  const prepared = await prepare({ model, calibration: { data, samples } }, '/', {});
  const dataset = await openDataset(data, prepared.inputs, { baseDir: '/', preprocess: PREPROCESS, samples });
  const args = ['quantize', model, '--data', data, '--preprocess', JSON.stringify(PREPROCESS)];
  const cell = (value: number): string => `${Number(value.toPrecision(3))}`;
  const scratch = mkdtempSync(path.join(tmpdir(), 'quantscope-observers-'));
  try {
    console.log(`${samples} samples, load ${loadavg().map(cell).join(' ')}\n`);
    console.log('| all observers | min-max alone | ratio |\n| --: | --: | --: |');
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { seconds, layers } = calibrated(path.join(scratch, `${round}`), [...args, '--samples', `${samples}`]);
      const observed = new Map(layers.flatMap(({ tensors }) => tensors).flatMap(activation));
      const start = performance.now();
      const extremes = await extremesAlone(prepared, [...observed.keys()], dataset);
      const alone = (performance.now() - start) / 1000;
      for (const [name, extreme] of extremes) assert.deepEqual(observed.get(name), extreme, name);
      const all = seconds.calibrate!;
      ratios.push(all / alone);
      console.log(`| ${cell(all)} s | ${cell(alone)} s | ${cell(all / alone)} |`);
    }
    console.log(`\nMedian of the ratios: ${cell(median(ratios))}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function activation({ name, role, observed }: TensorReport): [string, Extremes][] {
  return (role === 'input' || role === 'output') && observed !== null ? [[name, observed]] : [];
}

void main();
