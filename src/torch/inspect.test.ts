import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { QuantscopeError } from '../shared/errors';
import type { Inspection } from '../shared/inspection';
import type { Recipe } from '../shared/recipe';
import { torchPython } from '../../test/helpers/torch';
import { inspectTorch } from './inspect';

const SAMPLE = path.resolve(__dirname, '../../samples/torch');
const { python, reason } = torchPython();

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-look-'));
  cpSync(path.join(SAMPLE, 'shapesnet.py'), path.join(folder, 'shapesnet.py'));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const RECIPE: Recipe = { model: 'shapesnet.py:build', framework: 'torch', backend: 'fbgemm' };
const look = (recipe: Recipe = RECIPE, shallow = false): Promise<Inspection> =>
  inspectTorch(
    { model: recipe.model, recipe, baseDir: folder, shallow },
    // The interpreter that was chosen in the editor.
    { trusted: true, threads: 1, python },
  );

describe('a look at a PyTorch model', { skip: reason }, () => {
  test('tells what runs in int8, where each layer stands in the source, and which engines there are', async () => {
    const { layers, counts, guess, machine, model } = await look();
    const stem = layers.find(({ name }) => name === 'stem.0')!;
    assert.equal(stem.op, 'Conv2d');
    assert.equal(stem.decision, 'quantize');
    assert.deepEqual(
      stem.outputs.map(({ shape }) => shape),
      [[1, 16, 112, 112]],
    );
    const prelu = layers.find(({ op }) => op === 'PReLU')!;
    assert.equal(path.basename(prelu.source!.built!.file), 'shapesnet.py');
    assert.equal(prelu.source!.built!.text, 'self.stage1 = Block(16, 24, 1, nn.PReLU(24))');
    assert.equal(counts.quantize, layers.filter(({ decision }) => decision === 'quantize').length);
    assert.deepEqual(
      model.inputs.map(({ shape }) => shape),
      [['batch', 3, 'height', 'width']],
    );
    assert.equal(guess.preprocess.preset, 'imagenet');
    assert.ok(machine.engines?.includes('fbgemm'));
  });

  test('keeps what the recipe excludes in float', async () => {
    const { layers } = await look({ ...RECIPE, layers: [{ select: 'op:PReLU', quantize: false }] });
    const prelu = layers.find(({ op }) => op === 'PReLU')!;
    assert.deepEqual([prelu.decision, prelu.reason], ['float', 'excluded']);
  });

  test('of what it takes alone needs no layers', async () => {
    const { layers, model } = await look(RECIPE, true);
    assert.deepEqual(layers, []);
    assert.equal(model.inputs.length, 1);
  });
});

test('an interpreter without torch is named, with the command that installs it', async () => {
  const missing = path.join(folder, 'no-python');
  await assert.rejects(
    inspectTorch({ model: RECIPE.model, recipe: RECIPE, baseDir: folder }, { trusted: true, python: missing }),
    (error) => error instanceof QuantscopeError && error.code === 'torch-missing' && error.message.includes(missing),
  );
});
