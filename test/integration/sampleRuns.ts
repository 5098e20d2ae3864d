/** The sample quantized by the program, in a folder of its own. */

import { cpSync, existsSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { SAMPLES, temporaryFolder } from './support';

export const CALIBRATION = path.join(SAMPLES, 'images/calibration');
export const PREPROCESS = { color: 'rgb', scale: 1 / 127.5, mean: 1 } as const;

/** A folder with a copy of the sample's model. */
export function workspace(): { folder: string; model: string; out: string } {
  const folder = temporaryFolder();
  const model = path.join(folder, 'shapes.onnx');
  cpSync(path.join(SAMPLES, 'shapes.onnx'), model);
  return { folder, model, out: path.join(folder, 'out') };
}

export function quantizeArguments(model: string, out: string, samples: number): string[] {
  const block = ['--preprocess', JSON.stringify(PREPROCESS)];
  return ['quantize', model, '--data', CALIBRATION, '--samples', String(samples), ...block, '--out', out, '--json'];
}

/** All files below a folder, relative to it and sorted; none where there is no folder. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}
