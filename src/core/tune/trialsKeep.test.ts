import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import type { Fix, RecipeChange } from '../../shared/fixes';
import type { Recipe } from '../../shared/recipe';
import { f32, buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import { serializeModel } from '../onnx/model';
import { findCulprits } from '../pipeline/culprits';
import { DetailsReader } from '../pipeline/details';
import { quantize } from '../pipeline/quantize';
import { toFloat32 } from '../tensor';
import { priceFixes } from './prices';
import { tune } from './tune';

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-trials-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Two convolutions with a ReLU and a BatchNormalization, which every operator set since 7 has. */
function network(opset: number): Uint8Array {
  const next = random(opset);
  const weights = (dims: readonly number[]) => f32(dims, [...toFloat32(randomTensor('float32', dims, next))]);
  const channels = [1.5, -0.5, 1, 2];
  return serializeModel(
    buildModel({
      opset,
      ir: 3 + (opset > 8 ? 5 : 0),
      nodes: [
        node('Conv', ['x', 'w1'], ['a'], { pads: [1, 1, 1, 1] }),
        node('BatchNormalization', ['a', 'g', 'b', 'm', 'v'], ['n']),
        node('Relu', ['n'], ['r']),
        node('Conv', ['r', 'w2'], ['c'], { pads: [1, 1, 1, 1] }),
        node('GlobalAveragePool', ['c'], ['y']),
      ],
      inputs: { x: [1, 3, 8, 8], ...(opset > 8 ? {} : OLD_INPUTS) },
      constants: {
        w1: weights([4, 3, 3, 3]),
        w2: weights([5, 4, 3, 3]),
        g: f32([4], channels),
        b: f32([4], channels),
        m: f32([4], channels),
        v: f32([4], [1, 2, 3, 4]),
      },
      outputs: ['y'],
    }),
  );
}

/** Before IR 4 weights are inputs too. */
const OLD_INPUTS = { w1: [4, 3, 3, 3], w2: [5, 4, 3, 3], g: [4], b: [4], m: [4], v: [4] };

/** SHA-256 of every file under a folder. */
function hashes(of: string): Map<string, string> {
  const files = readdirSync(of, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(of, file), createHash('sha256').update(readFileSync(file)).digest('hex')];
    }),
  );
}

const fixOf = (change: RecipeChange): Fix => ({
  kind: 'activations-16',
  title: change.kind,
  detail: '',
  preferred: false,
  change,
});

/** Each makes another graph or another calibration than the run's. */
const CHANGES: readonly RecipeChange[] = [
  { kind: 'activations', type: 'uint16' },
  { kind: 'opset', opset: 21 },
  { kind: 'equalize', enabled: true },
  { kind: 'smooth', strength: 0.5 },
  { kind: 'observer', observer: 'entropy' },
];

describe('what is tried leaves every file of the run as it is', () => {
  for (const opset of [7, 9, 13, 21]) {
    test(`opset ${opset}`, async () => {
      const model = path.join(folder, `net${opset}.onnx`);
      writeFileSync(model, network(opset));
      const recipe: Recipe = { model, calibration: { data: 'synthetic', samples: 4 } };
      const outDir = path.join(folder, `net${opset}.quant`);
      const { layers } = await quantize({ recipe, baseDir: folder, outDir });
      const layer = layers.find(({ op }) => op === 'Conv')!.name;
      const report = path.join(outDir, 'report.json');
      const before = hashes(outDir);
      const unchanged = async (what: string, doing: Promise<unknown>): Promise<void> => {
        await doing;
        const now = hashes(outDir);
        for (const [file, hash] of before) assert.equal(now.get(file), hash, `${what} changed ${file}`);
        const added = [...now.keys()].filter((file) => !before.has(file) && path.dirname(file) !== 'trials');
        assert.deepEqual(
          added.filter((file) => !/^(prices|culprits)\.json$/.test(file)),
          [],
          what,
        );
      };
      // One at a time, for a later trial of the run's own graph would put its statistics back.
      for (const change of CHANGES) {
        const prices = priceFixes({
          report,
          baseDir: folder,
          samples: 2,
          candidates: [{ fix: fixOf(change), layer: null }],
        });
        await unchanged(`the price of ${change.kind}`, prices);
        for (const { price, why } of (await prices).fixes) assert.ok(price !== null, `${change.kind}: ${why}`);
      }
      await unchanged('culprits', findCulprits({ report, baseDir: folder }));
      const goal = { minSqnr: 60 };
      await unchanged('tune', tune({ recipe, baseDir: folder, outDir, goal, samples: 2, trials: 8 }));
      const details = new DetailsReader().read({ report, layer });
      await unchanged('details', details);
      const { activations, notes } = await details;
      assert.deepEqual([activations.map(({ role }) => role), notes], [['input', 'output'], []]);
    });
  }
});
