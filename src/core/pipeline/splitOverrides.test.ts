import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import { serializeModel } from '../onnx/model';
import { prepare } from './prepare';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-split-'));
after(() => rmSync(folder, { recursive: true }));

const next = random(5);
const model = buildModel({
  ...{ opset: 13, inputs: { x: [1, 3, 5, 5] }, outputs: ['y'] },
  constants: {
    wa: randomTensor('float32', [2, 3, 1, 1], next, 2),
    wb: randomTensor('float32', [1, 3, 1, 1], next, 2),
    w: randomTensor('float32', [4, 3, 3, 3], next, 2),
  },
  nodes: [
    node('Conv', ['x', 'wa'], ['a']),
    node('Conv', ['x', 'wb'], ['b']),
    node('Concat', ['a', 'b'], ['c'], { axis: 1 }),
    node('Conv', ['c', 'w'], ['y']),
  ],
});
writeFileSync(path.join(folder, 'net.onnx'), serializeModel(model));

describe('an override of a layer that is split reaches all its parts', () => {
  for (const select of ['Conv_of_y', 'C*_y', 'scope:Conv_of_y']) {
    test(select, async () => {
      const { plan } = await prepare(
        {
          model: 'net.onnx',
          normalize: { split: ['Concat_of_c'] },
          calibration: { data: 'synthetic' },
          layers: [{ select, quantize: false }],
        },
        folder,
        {},
      );
      const decided = plan.layers.map((layer) => [layer.name, layer.quantize]);
      assert.deepEqual(decided, [
        ['Conv_of_a', true],
        ['Conv_of_b', true],
        ['Conv_of_y', false],
        ['Conv_of_y/part1', false],
        ['Conv_of_y/sum', false],
      ]);
    });
  }
});
