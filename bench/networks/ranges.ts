/**
 * `npx tsx bench/networks/ranges.ts MODEL CALIBRATION.npz VALIDATION.npz [SAMPLES]`: the SQNR of the worst output by
 * observer, out of one calibration: what the choice of ranges alone is worth, without the rest of a run.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { convert } from '../../src/core/convert/convert';
import { openDataset } from '../../src/core/data/dataset';
import type { OnnxModel } from '../../src/core/onnx/model';
import { calibrate } from '../../src/core/pipeline/calibration';
import { prepare } from '../../src/core/pipeline/prepare';
import { rangesOf } from '../../src/core/pipeline/ranges';
import { openSession, type Feeds } from '../../src/core/runtime/session';
import { toFloat32 } from '../../src/core/tensor';
import { preprocessOf, type Recipe } from '../../src/shared/recipe';
import { OBSERVERS } from '../../src/shared/recipeValues';

const VALIDATED = 24;

async function outputsOf(model: OnnxModel, samples: readonly Feeds[]): Promise<Float32Array[][]> {
  const session = await openSession(model);
  const all: Float32Array[][] = [];
  for (const feeds of samples) {
    const found = await session.run(feeds);
    all.push(Object.values(found).map((tensor) => toFloat32(tensor)));
  }
  await session.close();
  return all;
}

function worstSqnr(exact: readonly Float32Array[][], quantized: readonly Float32Array[][]): number {
  const sqnr = exact[0]!.map((_, output) => {
    let [signal, noise] = [0, 0];
    exact.forEach((outputs, sample) => {
      outputs[output]!.forEach((value, i) => {
        signal += value ** 2;
        noise += (value - quantized[sample]![output]![i]!) ** 2;
      });
    });
    return 10 * Math.log10(signal / noise);
  });
  return Math.min(...sqnr.filter((value) => Number.isFinite(value)));
}

async function main(file: string, data: string, validation: string, count = '1000'): Promise<void> {
  const recipe: Recipe = { model: path.resolve(file), calibration: { data: path.resolve(data) } };
  const prepared = await prepare(recipe, '/', {});
  const options = { baseDir: '/', preprocess: preprocessOf(undefined), trusted: false };
  const open = async (source: string, samples: number): ReturnType<typeof openDataset> =>
    openDataset(path.resolve(source), prepared.inputs, { ...options, samples });
  const scratch = mkdtempSync(path.join(tmpdir(), 'ranges-'));
  const { stats, means } = await calibrate(prepared, await open(data, Number(count)), recipe, scratch, {});
  rmSync(scratch, { recursive: true });

  const feeds: Feeds[] = [];
  for await (const sample of (await open(validation, VALIDATED)).samples()) feeds.push(sample.feeds);
  const exact = await outputsOf(prepared.model, feeds);
  const found: string[] = [];
  for (const observer of OBSERVERS) {
    const activations = new Map([...prepared.plan.activations].map(([key, value]) => [key, { ...value, observer }]));
    const plan = { ...prepared.plan, activations };
    const { ranges } = rangesOf({ plan }, stats);
    const { backend, model } = prepared;
    const { id, convention } = backend;
    const settings = { ranges, means, convention, backend: id, source: path.basename(file), version: '0' };
    const conversion = await convert(model, plan, settings);
    found.push(`${observer} ${worstSqnr(exact, await outputsOf(conversion.model, feeds)).toFixed(2)}`);
  }
  console.log(`${path.basename(file)}, ${count} samples: ${found.join(', ')}`);
}

void main(...(process.argv.slice(2) as [string, string, string]));
