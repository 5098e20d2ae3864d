/**
 * The contribution of every layer, found in one graph of variants, against the naive way: for every
 * layer a model of its own, made by the converter from a plan that quantizes, or excludes, just that
 * layer, and run beside the fp32 model on every sample.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ErrorAccumulator } from '../../src/core/analyze/errors';
import { rangeOf } from '../../src/core/calibrate/observers';
import type { Range } from '../../src/core/calibrate/qparams';
import { onlyFloat, onlyQuantized, type Pair } from '../../src/core/contribution/layerVariants';
import { sweep } from '../../src/core/contribution/sweep';
import { convertStatic } from '../../src/core/convert/static';
import type { Conversion } from '../../src/core/convert/types';
import { openDataset } from '../../src/core/data/dataset';
import type { Dataset } from '../../src/core/data/types';
import { Graph } from '../../src/core/onnx/graph';
import type { OnnxModel } from '../../src/core/onnx/model';
import { calibrate, type Calibration } from '../../src/core/pipeline/calibration';
import { prepare, type Prepared } from '../../src/core/pipeline/prepare';
import type { Plan, PlannedLayer } from '../../src/core/plan/types';
import { openSession } from '../../src/core/runtime/session';
import { toFloat32, type Tensor } from '../../src/core/tensor';
import type { Recipe } from '../../src/shared/recipe';
import { IMAGE_MODELS, inData, missing, temporaryFolder, type ImageModel } from './support';

/** The large models have values enough in two; a flipped rounding of one weighs more in a small one. */
const SAMPLES: Partial<Record<keyof typeof IMAGE_MODELS, number>> = { resnet8: 16, mnist: 16 };
const FEW = 2;
/** dB; both ways run the same kernels on the same numbers. */
const TOLERANCE = 1e-4;
/**
 * A tensor that is read out cannot be fused away, and a fused kernel adds in another order. Now and then
 * that flips the rounding of one value to an integer, so the exact comparison does without such fusions.
 */
const SAME_ORDER = {
  'optimization.disable_specified_optimizers': 'ConvActivationFusion;ConvAddActivationFusion;NchwcTransformer',
};
/** Of layers compared, evenly spread: the naive way takes minutes for the largest models. */
const MOST_LAYERS = 24;

interface Case {
  readonly prepared: Prepared;
  readonly dataset: Dataset;
  readonly calibration: Calibration;
  readonly conversion: Conversion;
  readonly pair: Pair;
  readonly layers: readonly PlannedLayer[];
}

async function caseOf({ file, images, preprocess }: ImageModel, samples: number): Promise<Case> {
  const recipe: Recipe = { model: inData('models', file), calibration: { data: inData(images), samples } };
  const prepared = await prepare(recipe, '/', {});
  const dataset = await openDataset(inData(images), prepared.inputs, { baseDir: '/', preprocess, samples });
  const calibration = await calibrate(prepared, dataset, recipe, temporaryFolder(), {});
  const { plan, backend, model, graph, tensors } = prepared;
  const ranges = new Map<string, Range>();
  for (const activation of plan.activations.values()) {
    const stats = calibration.stats.get(activation.tensor);
    const spec = { bits: 8, ...activation };
    if (stats !== undefined) ranges.set(activation.tensor, rangeOf(stats, activation, spec));
  }
  const conversion = convertStatic(model, plan, ranges, backend.convention, calibration.means);
  const int8Model = conversion.model;
  const pair = { plan, conversion, fp32Model: model, int8Model, fp32: graph, int8: new Graph(int8Model), tensors };
  return { prepared, dataset, calibration, conversion, pair, layers: plan.layers.filter((l) => l.quantize) };
}

/** The converter's own model for a plan that quantizes some layers only, with the scales of the full plan. */
function convertOnly({ prepared, calibration, conversion }: Case, keep: (layer: PlannedLayer) => boolean): OnnxModel {
  const { plan, backend, model } = prepared;
  const layers = plan.layers.map((l) => (l.quantize && !keep(l) ? { ...l, quantize: false } : l));
  const touched = new Set(layers.flatMap((l) => (l.quantize ? [...l.inputs, ...l.outputs] : [])));
  const activations = new Map([...plan.activations].filter(([tensor]) => touched.has(tensor)));
  const ranges = new Map(
    [...activations.keys()].flatMap((tensor) => {
      const made = conversion.activations.get(tensor);
      return made === undefined ? [] : [[tensor, made.range] as const];
    }),
  );
  const changed: Plan = { ...plan, layers, activations };
  return convertStatic(model, changed, ranges, backend.convention, calibration.means).model;
}

async function naive(
  { prepared, dataset }: Case,
  model: OnnxModel,
  references: readonly Readonly<Record<string, Tensor>>[],
): Promise<number> {
  const session = await openSession(model, { threads: 1, config: SAME_ORDER });
  const accumulator = new ErrorAccumulator();
  let ordinal = 0;
  for await (const { id, feeds } of dataset.samples()) {
    const outputs = await session.run(feeds);
    for (const name of prepared.graph.outputs) {
      const [reference, approximation] = [references[ordinal]![name], outputs[name]];
      if (reference === undefined || !approximation?.type.startsWith('float')) continue;
      accumulator.add(id, toFloat32(reference), toFloat32(approximation));
    }
    ordinal++;
  }
  await session.close();
  return accumulator.result()?.sqnr ?? Infinity;
}

async function references({ prepared, dataset }: Case): Promise<Record<string, Tensor>[]> {
  const session = await openSession(prepared.model, { threads: 1, config: SAME_ORDER });
  const outputs: Record<string, Tensor>[] = [];
  for await (const { feeds } of dataset.samples()) outputs.push(await session.run(feeds));
  await session.close();
  return outputs;
}

function assertClose(fast: number | null | undefined, slow: number, what: string): void {
  assert.notEqual(fast, undefined, `${what} was not measured`);
  const measured = fast ?? Infinity;
  assert.ok(measured === slow || Math.abs(measured - slow) < TOLERANCE, `${what}: ${measured} dB, naively ${slow} dB`);
}

describe('the contribution of each layer equals that of a model made for it alone', () => {
  for (const name of Object.keys(IMAGE_MODELS) as (keyof typeof IMAGE_MODELS)[]) {
    const model: ImageModel = IMAGE_MODELS[name];
    const skip = missing(inData('models', model.file), inData(model.images));
    test(name, { skip }, async () => {
      const one = await caseOf(model, SAMPLES[name] ?? FEW);
      const { prepared, conversion, dataset, pair, layers } = one;
      const byName = new Map(layers.map((layer) => [layer.name, layer]));
      const names = [...byName.keys()];
      const pick = (wanted: readonly string[]): PlannedLayer[] => wanted.map((layer) => byName.get(layer)!);
      const common = { tensors: prepared.tensors, samples: dataset, threads: 1, config: SAME_ORDER, layers: names };
      const wanted = await references(one);
      const quantized = await sweep({
        ...common,
        base: prepared.model,
        graph: prepared.graph,
        build: (some) => onlyQuantized(pair, pick(some)),
      });
      const float = await sweep({
        ...common,
        base: conversion.model,
        graph: pair.int8,
        references: wanted,
        build: (some) => onlyFloat(pair, pick(some)),
      });
      const step = Math.ceil(layers.length / MOST_LAYERS);
      for (const layer of layers.filter((_, index) => index % step === 0)) {
        const only = convertOnly(one, (l) => l === layer);
        const without = convertOnly(one, (l) => l !== layer);
        assertClose(quantized.layers.get(layer.name)?.sqnr, await naive(one, only, wanted), `only ${layer.name}`);
        assertClose(float.layers.get(layer.name)?.sqnr, await naive(one, without, wanted), `without ${layer.name}`);
      }
    });
  }
});
