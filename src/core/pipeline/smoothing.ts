/** The one step of the normalization that needs data: how large each channel gets decides what smoothing moves. */

import { createHash } from 'node:crypto';
import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import { preprocessOf, type Recipe } from '../../shared/recipe';
import { channelAxisOf, channelPeaks, extremesOf } from '../causes/extremes';
import { openDataset } from '../data/dataset';
import type { InputInfo } from '../data/types';
import { unevenness } from '../normalize/equalize';
import type { Normalized } from '../normalize/normalize';
import { smooth, smoothableTensors, type Peaks } from '../normalize/smooth';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import type { JobContext } from './types';

const DEFAULT_SAMPLES = 100;

/** What the peaks were measured for last: a search prepares the same model again and again. */
let last: { readonly key: string; readonly peaks: Peaks } | undefined;

/**
 * The normalized model with `normalize.smooth` of the recipe done to it, which costs one pass over the calibration data.
 * @param file a hash of the model's files
 * @throws `data-empty` for a recipe without calibration data; what reading data and running the model throw
 */
export async function smoothed(
  normalized: Normalized,
  file: string,
  recipe: Recipe,
  baseDir: string,
  context: JobContext,
): Promise<Normalized> {
  const strength = recipe.normalize?.smooth;
  if (strength === undefined) return normalized;
  const { model, steps } = normalized;
  const peaks = await peaksOf(model, file, recipe, baseDir, context);
  const tensors = smooth(model, peaks, strength);
  if (tensors.length === 0) return normalized;
  const nodes = [...new Set(tensors.flatMap((tensor) => tensor.nodes))];
  const times = `${Number(unevenness(tensors).toPrecision(3))}`;
  const description = `Moved outlier channels of ${tensors.length} activations into weights, by up to ${times}×.`;
  return { ...normalized, model, steps: [...steps, { id: 'smooth', description, nodes }] };
}

async function peaksOf(
  model: OnnxModel,
  file: string,
  recipe: Recipe,
  baseDir: string,
  context: JobContext,
): Promise<Peaks> {
  const names = smoothableTensors(model);
  if (names.length === 0) return new Map();
  const { calibration, normalize } = recipe;
  if (calibration === undefined) {
    throw new QuantscopeError('data-empty', 'Smoothing needs calibration data, and the recipe names none.', {
      hint: 'Name some under `calibration.data`, or remove `normalize.smooth`.',
    });
  }
  const tensors = await inferTensors(model);
  const graph = new Graph(model);
  const inputs: InputInfo[] = graph.inputs.flatMap((name) => tensors.get(name) ?? []);
  const dataset = await openDataset(calibration.data, inputs, {
    baseDir,
    preprocess: preprocessOf(recipe.preprocess),
    samples: calibration.samples ?? DEFAULT_SAMPLES,
    ...(calibration.seed === undefined ? {} : { seed: calibration.seed }),
    trusted: context.trusted === true,
  });
  throwIfCancelled(context.signal);
  const parts = [file, await dataset.fingerprint(), { ...normalize, smooth: undefined }, names];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  if (last?.key === key) return last.peaks;
  const wanted = names.map((name) => {
    const rank = tensors.get(name)?.shape.length ?? 0;
    return { name, rank, axis: channelAxisOf(graph, name, rank) };
  });
  const extremes = await extremesOf(model, wanted, dataset, context);
  const peaks = new Map(names.map((name) => [name, channelPeaks(extremes, name)]));
  last = { key, peaks };
  return peaks;
}
