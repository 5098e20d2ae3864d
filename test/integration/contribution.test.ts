/**
 * The contribution of every layer, found in one graph of variants, against the naive way: for every
 * layer a model of its own, made by the converter from a plan that quantizes, or excludes, just that
 * layer, and run beside the fp32 model on every sample.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onlyFloat, onlyQuantized } from '../../src/core/contribution/layerVariants';
import { sweep } from '../../src/core/contribution/sweep';
import type { PlannedLayer } from '../../src/core/plan/types';
import { caseOf, convertOnly, naive, references, SAME_ORDER } from './naiveContribution';
import { IMAGE_MODELS, inData, missing, type ImageModel } from './support';

/** The large models have values enough in two; a flipped rounding of one weighs more in a small one. */
const SAMPLES: Partial<Record<keyof typeof IMAGE_MODELS, number>> = { resnet8: 16, mnist: 16 };
const FEW = 2;
/** dB; both ways run the same kernels on the same numbers. */
const TOLERANCE = 1e-4;
/** Of layers compared, evenly spread: the naive way takes minutes for the largest models. */
const MOST_LAYERS = 24;

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
