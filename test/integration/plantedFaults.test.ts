/** Small models, each with one fault: it is found, named, and gone after the first suggestion. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import sharp from 'sharp';
import { GraphProtoSchema, type NodeProto, type TensorProto } from '../../src/core/onnx/generated/onnx_pb';
import { makeNode } from '../../src/core/onnx/model';
import { makeTensorProto } from '../../src/core/onnx/tensorProto';
import { writeModel } from '../../src/core/onnx/write';
import { findCulprits } from '../../src/core/pipeline/culprits';
import { quantize } from '../../src/core/pipeline/quantize';
import { valueInfo } from '../../src/core/runtime/inspect';
import { makeTensor } from '../../src/core/tensor';
import { random } from '../../src/core/benchmark/bootstrap';
import { priceFixes } from '../../src/core/tune/prices';
import { tune } from '../../src/core/tune/tune';
import type { CauseKind } from '../../src/shared/causes';
import type { FixKind } from '../../src/shared/fixes';
import type { Recipe } from '../../src/shared/recipe';
import { changeRecipe } from '../../src/shared/recipeEdit';
import type { Report } from '../../src/shared/report';
import { suggestRecipeFixes } from '../../src/shared/suggest';
import { suggestions, type Culprits } from '../../src/shared/verdicts';
import { modelOf } from '../fixtures/onnx/models';
import { subfolder, temporaryFolder } from './support';
import { comparedOf } from '../../src/shared/measured';

const SIZE = 8;
const PIXELS = SIZE * SIZE;
const next = random(7);
const signed = (): number => 2 * next() - 1;

interface Net {
  readonly channels: number;
  readonly nodes: readonly NodeProto[];
  readonly constants: readonly TensorProto[];
}

const constant = (name: string, dims: readonly number[], values: readonly number[]): TensorProto =>
  makeTensorProto(name, makeTensor('float32', dims, Float32Array.from(values)));

/** A pointwise convolution with a bias; `weight[o][i]`. */
function conv(
  name: string,
  input: string,
  output: string,
  weight: readonly (readonly number[])[],
  bias?: readonly number[],
): Net {
  const [outs, ins] = [weight.length, weight[0]!.length];
  return {
    channels: ins,
    nodes: [makeNode({ op: 'Conv', name, inputs: [input, `${name}.w`, `${name}.b`], outputs: [output] })],
    constants: [
      constant(`${name}.w`, [outs, ins, 1, 1], weight.flat()),
      constant(`${name}.b`, [outs], bias ?? weight.map(() => 0)),
    ],
  };
}

const node = (op: string, name: string, inputs: readonly string[], output: string, attributes = {}): Net => ({
  ...{ channels: 0, constants: [] },
  nodes: [makeNode({ op, name, inputs, outputs: [output], attributes })],
});

/** Weights of `outs` channels that read all of `ins`. */
const mixed = (outs: number, ins: number, scale = 1): number[][] =>
  Array.from({ length: outs }, () => Array.from({ length: ins }, () => scale * signed()));

interface Planted {
  readonly folder: string;
  readonly recipe: Recipe;
}

/** @param sample the values of one sample, NCHW */
async function plant(
  parts: readonly Net[],
  outputs: number,
  sample: (index: number) => readonly number[],
  recipe: Partial<Recipe> = {},
): Promise<Planted> {
  const folder = temporaryFolder();
  const { channels } = parts[0]!;
  const graph = create(GraphProtoSchema, {
    name: 'planted',
    node: parts.flatMap(({ nodes }) => nodes),
    initializer: parts.flatMap(({ constants }) => constants),
    input: [valueInfo('x', 'float32', [1, channels, SIZE, SIZE])],
    output: [valueInfo('y', 'float32', [1, outputs, SIZE, SIZE])],
  });
  await writeModel(path.join(folder, 'net.onnx'), { proto: modelOf(graph, 17) });
  const shape = [1, channels, SIZE, SIZE];
  const lines = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `${JSON.stringify({ x: { shape, data: sample(from + i) } })}\n`).join(
      '',
    );
  writeFileSync(path.join(folder, 'calibration.jsonl'), lines(0, 24));
  writeFileSync(path.join(folder, 'validation.jsonl'), lines(100, 116));
  const data = {
    calibration: { data: 'calibration.jsonl', observer: 'min-max' as const },
    validate: { data: 'validation.jsonl' },
  };
  return { folder, recipe: { model: 'net.onnx', ...data, ...recipe } };
}

const plain = (channels: number) => (): number[] => Array.from({ length: channels * PIXELS }, signed);

async function run({ folder, recipe }: Planted): Promise<Report> {
  return quantize({ recipe, baseDir: folder }, { threads: 1 });
}

async function culpritsOf({ folder }: Planted): Promise<Culprits> {
  return findCulprits({ report: path.join(folder, 'net.quant/report.json'), baseDir: folder }, { threads: 1 });
}

/** The first fix of the faulty recipe comes with a price that foretells what it gains, and takes nothing out of int8. */
async function assertPriced(planted: Planted, kind: FixKind, gained: number): Promise<void> {
  await run(planted);
  await culpritsOf(planted);
  const { folder } = planted;
  const [first] = (await priceFixes({ report: path.join(folder, 'net.quant'), baseDir: folder, most: 1 })).fixes;
  assert.equal(first?.fix.kind, kind);
  assert.ok(first.price !== null, first.why);
  const { sqnr, macs, latency } = first.price;
  assert.ok(sqnr.low <= gained && gained <= sqnr.high, `gained ${gained} dB, priced ${JSON.stringify(sqnr)}`);
  assert.ok(macs >= 0 && latency !== null);
}

const outputOf = ({ outputs }: Report): number => comparedOf(outputs[0]?.error)!.sqnr ?? Infinity;

/** Runs, finds, applies the first suggestion and runs again. */
async function cure(planted: Planted, kind: CauseKind): Promise<{ before: Report; after: Report; sentence: string }> {
  const before = await run(planted);
  const culprits = await culpritsOf(planted);
  const [first] = suggestions(culprits);
  assert.equal(first?.cause.kind, kind);
  const recipe = changeRecipe(planted.recipe, first.fix.change) as Recipe;
  const after = await run({ ...planted, recipe });
  return { before, after, sentence: first.cause.sentence };
}

describe('planted faults are found, named and cured by the first suggestion', () => {
  test('an outlier channel of the weights', async () => {
    const weight = mixed(8, 4).map((row, channel) => (channel === 5 ? row.map((w) => 200 * w) : row));
    const clip = node('Clip', 'clip', ['t', 'low', 'high'], 'u');
    const bounds = [constant('low', [], [0]), constant('high', [], [2])];
    const parts = [
      conv('first', 'x', 't', weight),
      { ...clip, constants: bounds },
      conv('second', 'u', 'y', mixed(4, 8)),
    ];
    const planted = await plant(parts, 4, plain(4), { weights: { granularity: 'per-tensor' } });
    const { before, after, sentence } = await cure(planted, 'outlier-channel');
    assert.match(sentence, /Channel 5 of the weights of "first"/);
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
  });

  test('an outlier channel of the activations that the weights on both sides make', async () => {
    // What folding a BatchNormalization leaves: a channel is large in one layer and divided again in the next.
    const large = mixed(8, 4).map((row, channel) => (channel === 5 ? row.map((w) => 200 * w) : row));
    const small = mixed(4, 8).map((row) => row.map((w, channel) => (channel === 5 ? w / 200 : w)));
    const parts = [conv('first', 'x', 't', large), node('Relu', 'relu', ['t'], 'u'), conv('second', 'u', 'y', small)];
    const { before, after, sentence } = await cure(await plant(parts, 4, plain(4)), 'outlier-channel');
    assert.match(sentence, /Channel 5 of what "(first|second)" (reads|writes)/);
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
    assert.deepEqual(after.counts, before.counts, 'as much in int8 as before');
  });

  test('an outlier channel of the activations in a chain of products', async () => {
    // As in language models (Xiao et al. 2023, §3): a gain and a bias make channel 5 large, and small weights read it.
    const [gain, bias] = [1, 0].map((value) => Array.from({ length: SIZE }, (_, c) => (c === 5 ? 200 : value)));
    const calm = (): number[] =>
      mixed(SIZE, SIZE).flatMap((row, channel) => row.map((w) => (channel === 5 ? w / 200 : w)));
    const parts: Net[] = [
      {
        ...node('LayerNormalization', 'norm', ['x', 'gain', 'shift'], 'n', { axis: -1 }),
        channels: 4,
        constants: [constant('gain', [SIZE], gain!), constant('shift', [SIZE], mixed(1, SIZE)[0]!)],
      },
      { ...node('MatMul', 'first', ['n', 'w1'], 'm'), constants: [constant('w1', [SIZE, SIZE], calm())] },
      { ...node('Add', 'bias', ['m', 'b1'], 'a'), constants: [constant('b1', [SIZE], bias!)] },
      node('Relu', 'relu', ['a'], 'r'),
      { ...node('MatMul', 'second', ['r', 'w2'], 'y'), constants: [constant('w2', [SIZE, SIZE], calm())] },
    ];
    const planted = await plant(parts, 4, plain(4));
    const { before, after, sentence } = await cure(planted, 'outlier-channel');
    assert.match(sentence, /Channel 5 of what "(first|second)" (reads|writes)/);
    assert.equal(after.recipe.normalize?.smooth, 0.5);
    assert.ok(after.normalization.some(({ id }) => id === 'smooth'));
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
    assert.deepEqual(after.counts, before.counts, 'as much in int8 as before');
    await assertPriced(planted, 'smooth', outputOf(after) - outputOf(before));
  });

  test('a range set by one sample', async () => {
    // Channel 0 answers only where all inputs are 1, which is so in one calibration sample.
    const weight = [[100, 100, 100, 100], ...mixed(3, 4)];
    const parts = [
      conv('first', 'x', 't', weight, [-320, 0, 0, 0]),
      node('Relu', 'relu', ['t'], 'u'),
      conv(
        'second',
        'u',
        'y',
        mixed(4, 4).map(([, ...others]) => [0, ...others]),
      ),
    ];
    const sample = (index: number): number[] => {
      const [a, b] = [0, 1].map(() => Array.from({ length: PIXELS }, signed)) as [number[], number[]];
      const values = [...a, ...b, ...a.map((v) => -v), ...b.map((v) => -v)];
      if (index === 11) for (let c = 0; c < 4; c++) values[c * PIXELS] = 1;
      return values;
    };
    const { before, after, sentence } = await cure(await plant(parts, 4, sample), 'one-sample-range');
    assert.match(sentence, /calibration\.jsonl#11.*reaches 80/);
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
  });

  test('products that saturate', async () => {
    const weight = Array.from({ length: 4 }, () => Array.from({ length: 16 }, () => 0.9 + 0.1 * next()));
    const bright = (): number[] => Array.from({ length: 16 * PIXELS }, () => 0.8 + 0.2 * next());
    const planted = await plant([conv('only', 'x', 'y', weight)], 4, bright, { backend: 'onednn', isa: 'avx2' });
    const { before, after, sentence } = await cure(planted, 'kernel-saturation');
    assert.match(sentence, /sums of "only" overflow 16 bits/);
    assert.ok(before.layers[0]!.saturation! > 0.1, `clipped before: ${before.layers[0]!.saturation}`);
    assert.equal(after.layers[0]!.saturation ?? 0, 0);
  });

  test('a Concat of unequal inputs', async () => {
    const parts = [
      conv('small', 'x', 's', mixed(2, 4, 0.01)),
      conv('large', 'x', 'l', mixed(2, 4, 10)),
      node('Concat', 'join', ['s', 'l'], 'u', { axis: 1 }),
      conv('last', 'u', 'y', [
        [1000, 300, 0, 0],
        [-300, 1000, 0, 0],
        [0, 0, 1, 0.3],
        [0, 0, 0.3, -1],
      ]),
    ];
    const planted = await plant(parts, 4, plain(4));
    const { before, after, sentence } = await cure(planted, 'unequal-concat');
    assert.match(sentence, /inputs of "join" reach/);
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
    assert.deepEqual(after.recipe.normalize?.split, ['join']);
    const products = (report: Report): Report['layers'] => report.layers.filter(({ op }) => op === 'Conv');
    assert.equal(products(after).length, products(before).length + 1);
    assert.ok(products(after).every(({ status }) => status === 'quantized'));
    await assertPriced(planted, 'split-concat', outputOf(after) - outputOf(before));
    const { best } = await tune({ recipe: planted.recipe, baseDir: planted.folder, goal: { minSqnr: 30 } });
    assert.ok(best.reached && best.macs === 100, JSON.stringify(best));
    assert.ok(best.changes.some(({ change }) => change.kind === 'split' && change.concat === 'join'));
  });

  test('weights whose rounding moves the mean of each channel', async () => {
    // 0.4 of a step is rounded away in every weight but the largest, always to the same side.
    const weight = Array.from({ length: 4 }, () => Array.from({ length: 16 }, (_, i) => (i === 0 ? 127 : 0.4) / 127));
    const bright = (): number[] =>
      Array.from({ length: 16 * PIXELS }, (_, i) => (i < PIXELS ? 0.1 * next() : 1 + 0.1 * next()));
    const planted = await plant([conv('only', 'x', 'y', weight)], 4, bright, {
      calibration: { data: 'calibration.jsonl', observer: 'min-max', biasCorrection: false },
    });
    const before = await run(planted);
    const [fix] = suggestRecipeFixes(before);
    assert.equal(fix?.kind, 'bias-correction');
    const after = await run({ ...planted, recipe: changeRecipe(planted.recipe, fix.change) as Recipe });
    assert.ok(outputOf(after) > outputOf(before) + 10, `${outputOf(before)} → ${outputOf(after)} dB`);
    await assertPriced(planted, 'bias-correction', outputOf(after) - outputOf(before));
  });

  /** @param trained the values that the model saw of a pixel in training: in its BatchNormalization they are remembered */
  async function photographed(trained: (pixel: readonly number[]) => readonly number[]): Promise<Planted> {
    const weight = mixed(4, 3, 0.01);
    const images = Array.from({ length: 16 }, () =>
      Array.from({ length: PIXELS }, () => [100 + 155 * next(), 60 + 60 * next(), 60 * next()].map(Math.round)),
    );
    const pixels = images.flat().map(trained);
    const seen = weight.map((row) => pixels.map((pixel) => row.reduce((sum, w, c) => sum + w * pixel[c]!, 0)));
    const mean = seen.map((values) => values.reduce((a, v) => a + v, 0) / values.length);
    const variance = seen.map((values, c) => values.reduce((a, v) => a + (v - mean[c]!) ** 2, 0) / values.length);
    const statistics = [
      constant('scale', [4], [1, 1, 1, 1]),
      constant('shift', [4], [0, 0, 0, 0]),
      constant('mean', [4], mean),
      constant('variance', [4], variance),
    ];
    const bn = {
      ...node('BatchNormalization', 'bn', ['t', 'scale', 'shift', 'mean', 'variance'], 'y'),
      constants: statistics,
    };
    const planted = await plant([conv('first', 'x', 't', weight), bn], 4, plain(3), {
      ...{ calibration: { data: 'images/*.png' }, validate: { data: 'images/*.png' } },
      preprocess: { color: 'rgb' },
    });
    for (const [index, image] of images.entries()) {
      const raw = sharp(Buffer.from(image.flat()), { raw: { width: SIZE, height: SIZE, channels: 3 } });
      writeFileSync(path.join(subfolder(planted.folder, 'images'), `${index}.png`), await raw.png().toBuffer());
    }
    return planted;
  }

  const [MEAN, STD] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const misread = [
    {
      ...{ name: 'BGR images read as RGB', trained: (pixel: readonly number[]) => pixel.toReversed() },
      ...{ said: /read as RGB, but the model seems to be trained on BGR/, cured: { color: 'bgr' } },
    },
    {
      ...{ name: 'values of 0…255 where 0…1 were', trained: (pixel: readonly number[]) => pixel.map((v) => v / 255) },
      ...{ said: /are not those that the model seems to be trained on/, cured: { preset: 'unit', color: 'rgb' } },
    },
    {
      name: 'neither mean nor deviation taken out',
      trained: (pixel: readonly number[]) => pixel.map((v, c) => (v / 255 - MEAN[c]!) / STD[c]!),
      ...{ said: /trained on \(RGB imagenet\)/, cured: { preset: 'imagenet', color: 'rgb' } },
    },
  ] as const;
  for (const { name, trained, said, cured } of misread) {
    test(name, async () => {
      const planted = await photographed(trained);
      const { after, sentence } = await cure(planted, 'preprocessing');
      assert.match(sentence, said);
      assert.deepEqual(after.recipe.preprocess, cured);
      const again = await culpritsOf(planted);
      assert.ok(!again.causes.some(({ kind }) => kind === 'preprocessing'), 'still found after the cure');
    });
  }

  test('a layer whose error cancels downstream is harmless, and nothing is suggested for it', async () => {
    // Channel 5 is 0 or 2 whatever is rounded, and the only one that anybody reads.
    const weight = mixed(8, 4).map((row, channel) => (channel === 5 ? [400, 0, 0, 0] : row));
    const bounds = [constant('low', [], [0]), constant('high', [], [2])];
    const clip = { ...node('Clip', 'clip', ['t', 'low', 'high'], 'u'), constants: bounds };
    const reads = mixed(4, 8).map((row) => row.map((w, channel) => (channel === 5 ? w : 0)));
    const sample = (): number[] => {
      const values = Array.from({ length: 4 * PIXELS }, signed);
      return values.map((v, i) => (i < PIXELS ? Math.sign(v) * (0.5 + Math.abs(v) / 2) : v));
    };
    const planted = await plant([conv('first', 'x', 't', weight), clip, conv('second', 'u', 'y', reads)], 4, sample, {
      weights: { granularity: 'per-tensor' },
    });
    const report = await run(planted);
    assert.ok((comparedOf(report.layers[0]?.local)?.sqnr ?? Infinity) < 20, 'its own error is large');
    const culprits = await culpritsOf(planted);
    const first = culprits.layers.find(({ layer }) => layer === 'first');
    assert.equal(first?.verdict, 'harmless');
    assert.match(first.why, /cancels downstream/);
    assert.deepEqual(
      suggestions(culprits).filter(({ layer }) => layer === 'first'),
      [],
    );
  });
});
