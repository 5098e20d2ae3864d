/**
 * Whether float layers stay float in other versions of onnxruntime: writes every neighbourhood in which an optimizer
 * might take a layer for int8, and lets each interpreter run what was written with and without optimization.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { FLOAT_LAYERS } from '../../src/core/convert/fixtures/floatLayers';
import { quantize } from '../../src/core/convert/fixtures/quantized';
import { serializeModel } from '../../src/core/onnx/model';
import { toFloat32 } from '../../src/core/tensor';

interface Result {
  readonly version: string;
  readonly models: readonly { title: string; layers: number; taken: number; worst: number }[];
}

async function main(interpreters: readonly string[]): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'float-layers-'));
  try {
    const manifest: object[] = [];
    for (const [index, make] of FLOAT_LAYERS.entries()) {
      const { title, model, samples, excluded } = make();
      const layers = excluded.map((select) => ({ select, quantize: false }));
      const { conversion } = await quantize(model, samples, { layers });
      const file = `${index}.onnx`;
      writeFileSync(path.join(folder, file), serializeModel(conversion.model));
      const { x } = samples[0]!;
      manifest.push({ title, file, excluded, dims: x!.dims, x: [...toFloat32(x!)] });
    }
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(manifest));
    console.log('| onnxruntime | float layers | taken for int8 | least SQNR beside the unoptimized run |');
    console.log('| --- | --- | --- | --- |');
    for (const python of interpreters) {
      const told = execFileSync(python, [path.join(__dirname, 'versions.py'), folder], { encoding: 'utf8' });
      const { version, models } = JSON.parse(told) as Result;
      const sum = (of: 'layers' | 'taken'): number => models.reduce((total, model) => total + model[of], 0);
      const worst = models.reduce((a, b) => (a.worst < b.worst ? a : b));
      console.log(
        `| ${version} | ${sum('layers')} | ${sum('taken')} | ${worst.worst.toFixed(1)} dB (${worst.title}) |`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void main(process.argv.slice(2));
