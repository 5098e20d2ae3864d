/** What kind of error each layer makes, on models with real weights: the kinds add up to the error that was measured. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { findCulprits } from '../../src/core/pipeline/culprits';
import { quantize } from '../../src/core/pipeline/quantize';
import type { Preprocess } from '../../src/shared/recipe';
import { IMAGE_MODELS, inData, missing, SAMPLES, temporaryFolder } from './support';
import { comparedOf } from '../../src/shared/measured';

/** The layer and its parts are measured in two sessions, which may add in another order. */
const TOLERANCE = 0.02;
const FEW = 4;

interface Subject {
  readonly name: string;
  readonly model: string;
  readonly data: string;
  readonly preprocess: Preprocess;
}

const real = (name: 'resnet8' | 'mobilenet' | 'squeezenet'): Subject => {
  const { file, images, preprocess } = IMAGE_MODELS[name];
  return { name, model: inData('models', file), data: inData(images), preprocess };
};

const SUBJECTS: readonly Subject[] = [
  {
    ...{ name: 'the sample', model: path.join(SAMPLES, 'shapes.onnx'), preprocess: { preset: 'unit' } },
    data: path.join(SAMPLES, 'images/calibration'),
  },
  ...(['resnet8', 'mobilenet', 'squeezenet'] as const).map(real),
];

describe('the kinds of error of a layer', () => {
  for (const { name, model, data, preprocess } of SUBJECTS) {
    const skip = missing(model, data);
    test(`sum to its local error: ${name}`, { skip }, async (context) => {
      const outDir = temporaryFolder();
      const calibration = { data, samples: FEW, observer: 'percentile', percentile: 99.9 } as const;
      const recipe = { model, calibration, preprocess, weights: { granularity: 'per-tensor' } } as const;
      const report = await quantize({ recipe, baseDir: '/', outDir }, { threads: 1 });
      const { layers } = await findCulprits({ report: path.join(outDir, 'report.json'), baseDir: '/' }, { threads: 1 });
      assert.ok(existsSync(path.join(outDir, 'culprits.json')));
      let [most, compared] = [0, 0];
      for (const { layer, split } of layers) {
        const local = comparedOf(report.layers.find((row) => row.name === layer)?.local);
        if (split === null || local === null) continue;
        const shares = Object.values(split.shares).reduce((sum, share) => sum + share, 0);
        assert.ok(split.power === 0 || Math.abs(shares - 1) < 1e-6, `${layer}: the shares sum to ${shares}`);
        const power = local.sqnr === null ? 0 : 10 ** (-local.sqnr / 10);
        const apart = power === 0 ? split.power : Math.abs(split.power / power - 1);
        assert.ok(apart < TOLERANCE, `${layer}: ${split.power}, its local error has ${power}`);
        most = Math.max(most, apart);
        compared++;
      }
      assert.ok(compared > layers.length / 2, `${compared} of ${layers.length} layers were split`);
      context.diagnostic(`${compared} layers, at most ${(100 * most).toFixed(3)} % apart`);
    });
  }
});
