/**
 * `npx tsx bench/contribution.ts [SAMPLES]`: what the contribution of every layer of SqueezeNet costs the fast way,
 * beside the naive one: for each layer a model in which it alone is quantized, run beside the fp32 model on every
 * sample. Both with sessions opened and models made, in turns; prints Markdown. The model and images are looked for in
 * `../shared/data`, as in the tests.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { median } from '../src/core/benchmark/statistics';
import { onlyQuantized } from '../src/core/contribution/layerVariants';
import { sweep } from '../src/core/contribution/sweep';
import type { Sample } from '../src/core/data/types';
import { caseOf, convertOnly, naive, partsOf, references, SAME_ORDER } from '../test/integration/naiveContribution';

const DATA = process.env['QUANTSCOPE_DATA'] ?? path.resolve(__dirname, '../../shared/data');
const DEFAULT_SAMPLES = 8;
const ROUNDS = 7;

async function seconds(job: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await job();
  return (performance.now() - start) / 1000;
}

async function main(): Promise<void> {
  const samples = Number(process.argv[2] ?? DEFAULT_SAMPLES);
  const folder = mkdtempSync(path.join(tmpdir(), 'quantscope-contribution-'));
  try {
    const read = await caseOf(
      path.join(DATA, 'models/squeezenet.onnx'),
      {
        files: path.join(DATA, 'images/imagenet/calibration'),
        samples,
        preprocess: { resize: { mode: 'shorter-side', size: 256 }, crop: 224, color: 'bgr', mean: [104, 117, 123] },
      },
      folder,
    );
    // Decoding is no part of either: the samples are kept.
    const kept: Sample[] = [];
    for await (const sample of read.dataset.samples()) kept.push(sample);
    const dataset = { ...read.dataset, count: kept.length, samples: () => Readable.from(kept) };
    const one = { ...read, dataset };
    const { prepared, pair, layers } = one;
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    const parts = partsOf(one, await references(one));
    const fast = (): Promise<unknown> =>
      sweep({
        ...{ base: prepared.model, graph: prepared.graph, tensors: prepared.tensors, samples: dataset, threads: 1 },
        ...{ config: SAME_ORDER, parts },
        layers: [...byName.keys()],
        build: (names) =>
          onlyQuantized(
            pair,
            names.map((name) => byName.get(name)!),
          ),
      });
    const slow = async (): Promise<void> => {
      for (const layer of layers) {
        const wanted = await references(one);
        await naive(
          one,
          convertOnly(one, (other) => other === layer),
          wanted,
        );
      }
    };
    const cell = (value: number): string => `${Number(value.toPrecision(3))}`;
    console.log(`${layers.length} layers, ${samples} samples, load ${loadavg().map(cell).join(' ')}\n`);
    console.log('| one fp32 pass | fast | naive | fast ÷ naive |\n| --: | --: | --: | --: |');
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const onePass = await seconds(() => references(one));
      // Between two halves: what slows the machine for a while slows both.
      const [before, took, after] = [await seconds(fast), await seconds(slow), await seconds(fast)];
      const mean = (before + after) / 2;
      ratios.push(mean / took);
      console.log(`| ${cell(onePass)} s | ${cell(mean)} s | ${cell(took)} s | ${cell(mean / took)} |`);
    }
    console.log(`\nMedian of the ratios: ${cell(median(ratios))}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void main();
