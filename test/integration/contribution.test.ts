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
import { caseOf, convertOnly, naive, partsOf, references, SAME_ORDER, type DataOf } from './naiveContribution';
import { IMAGE_MODELS, inData, missing, temporaryFolder, type ImageModel } from './support';
import { writeMagikaSamples, writeSortCases, writeSpeechWindows } from './tokens';

/** The large models have values enough in two; a flipped rounding of one weighs more in a small one. */
const SAMPLES: Partial<Record<keyof typeof IMAGE_MODELS, number>> = { resnet8: 16, mnist: 16 };
const FEW = 2;
/** dB; both ways run the same kernels on the same numbers. */
const TOLERANCE = 1e-4;
/** Of layers compared, evenly spread: the naive way takes minutes for the largest models. */
const MOST_LAYERS = 24;

/** @returns how far apart they are, in dB */
function assertClose(fast: number | null | undefined, slow: number, what: string): number {
  assert.notEqual(fast, undefined, `${what} was not measured`);
  const measured = fast ?? Infinity;
  const apart = measured === slow ? 0 : Math.abs(measured - slow);
  assert.ok(apart < TOLERANCE, `${what}: ${measured} dB, naively ${slow} dB`);
  return apart;
}

interface Subject {
  readonly name: string;
  readonly file: string;
  /** Made in a folder, or found. */
  readonly data: (folder: string) => DataOf;
  readonly needs: readonly string[];
}

const SUBJECTS: readonly Subject[] = [
  ...(Object.keys(IMAGE_MODELS) as (keyof typeof IMAGE_MODELS)[]).map((name) => {
    const { file, images, preprocess }: ImageModel = IMAGE_MODELS[name];
    const data: DataOf = { files: inData(images), samples: SAMPLES[name] ?? FEW, preprocess };
    return { name, file, data: () => data, needs: [inData(images)] };
  }),
  {
    ...{ name: 'gpt', file: 'gpt_nano_sort.onnx', needs: [inData('labels')] },
    data: (folder) => ({ files: writeSortCases(folder), samples: 16 }),
  },
  {
    ...{ name: 'magika', file: 'magika_v3_3.onnx', needs: ['labels', 'audio', 'images'].map((part) => inData(part)) },
    data: (folder) => ({ files: writeMagikaSamples(folder), samples: FEW }),
  },
  {
    ...{ name: 'silero', file: 'silero_vad_16k_op15.onnx', needs: [inData('audio')] },
    data: (folder) => ({ files: writeSpeechWindows(folder, 8), samples: 8 }),
  },
];

describe('the contribution of each layer equals that of a model made for it alone', () => {
  for (const { name, file, data, needs } of SUBJECTS) {
    const skip = missing(inData('models', file), ...needs);
    test(name, { skip }, async (context) => {
      const folder = temporaryFolder();
      const one = await caseOf(inData('models', file), data(folder), folder);
      const { prepared, conversion, dataset, pair, layers } = one;
      const byName = new Map(layers.map((layer) => [layer.name, layer]));
      const names = [...byName.keys()];
      const pick = (wanted: readonly string[]): PlannedLayer[] => wanted.map((layer) => byName.get(layer)!);
      const wanted = await references(one);
      const common = {
        ...{ tensors: prepared.tensors, samples: dataset, threads: 1, config: SAME_ORDER, layers: names },
        parts: partsOf(one, wanted),
      };
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
      const compared = layers.filter((_, index) => index % step === 0);
      let most = 0;
      for (const layer of compared) {
        const only = convertOnly(one, (l) => l === layer);
        const without = convertOnly(one, (l) => l !== layer);
        const [fast, kept] = [quantized, float].map(({ layers: of }) => of.get(layer.name)?.sqnr);
        most = Math.max(
          most,
          assertClose(fast, await naive(one, only, wanted), `only ${layer.name}`),
          assertClose(kept, await naive(one, without, wanted), `without ${layer.name}`),
        );
      }
      context.diagnostic(`${compared.length} of ${layers.length} layers, at most ${most.toExponential(1)} dB apart`);
    });
  }
});
