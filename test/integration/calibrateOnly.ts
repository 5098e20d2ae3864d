/** A process that calibrates a model and ends; prints its peak resident memory in bytes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { openDataset } from '../../src/core/data/dataset';
import { calibrate } from '../../src/core/pipeline/calibration';
import { prepare } from '../../src/core/pipeline/prepare';
import { preprocessOf, type Recipe } from '../../src/shared/recipe';

interface Input {
  readonly model: string;
  readonly data: string;
  readonly preprocess: NonNullable<Recipe['preprocess']>;
  readonly samples: number;
}

async function main({ model, data, preprocess, samples }: Input): Promise<void> {
  const recipe: Recipe = { model, preprocess, calibration: { data, samples } };
  const outDir = mkdtempSync(path.join(tmpdir(), 'quantscope-test-'));
  try {
    const prepared = await prepare(recipe, '/', {});
    const options = { baseDir: '/', preprocess: preprocessOf(preprocess), samples };
    const dataset = await openDataset(data, prepared.inputs, options);
    const { stats } = await calibrate(prepared, dataset, recipe, outDir, {});
    // `maxRSS` is in kilobytes: https://nodejs.org/api/process.html#processresourceusage
    const peak = process.resourceUsage().maxRSS * 1024;
    process.stdout.write(JSON.stringify({ peak, tensors: stats.size, samples: dataset.count }));
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

void main(JSON.parse(process.argv[2] ?? '') as Input);
