/**
 * Whether images reach the model as those did that it was trained on. Its first BatchNormalization
 * remembers mean and variance of what it read in training; the preprocessing whose images come nearest to
 * them is the likeliest.
 */

import type { Cause } from '../../shared/causes';
import { preprocessOf, PREPROCESS_PRESETS, type Preprocess, type Recipe } from '../../shared/recipe';
import { openDataset } from '../data/dataset';
import { Graph } from '../onnx/graph';
import { graphOf } from '../onnx/model';
import { normalizeFor, type Prepared } from '../pipeline/prepare';
import type { JobContext } from '../pipeline/types';
import { nameOnly, withOutputs } from '../runtime/inspect';
import { openSession } from '../runtime/session';
import { toFloat32 } from '../tensor';

const SAMPLES = 8;
/** Mean divergence in nats from which images are called strange. */
const STRANGE = 0.1;
/** So much nearer another preprocessing has to come to be believed. */
const NEARER = 0.5;
/** Nats from which no preprocessing tried is the one of the training. */
const IMPLAUSIBLE = 1;

export interface Moments {
  readonly mean: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
}

/** Kullback–Leibler divergence of two normal distributions, the mean over the channels, in nats. */
export function divergence(seen: Moments, trained: Moments): number {
  let sum = 0;
  for (let c = 0; c < trained.mean.length; c++) {
    const expected = Math.max(trained.variance[c]!, 1e-12);
    const ratio = Math.max(seen.variance[c]!, 1e-12) / expected;
    sum += (ratio + (seen.mean[c]! - trained.mean[c]!) ** 2 / expected - 1 - Math.log(ratio)) / 2;
  }
  return sum / Math.max(1, trained.mean.length);
}

/**
 * Which candidate to believe instead of the first; `undefined` where the first will do.
 * @param divergences of the preprocessing in use, then of the others
 */
export function likelier([current = 0, ...others]: readonly number[]): number | undefined {
  const best = Math.min(...others);
  return current > STRANGE && best < Math.min(IMPLAUSIBLE, NEARER * current) ? others.indexOf(best) + 1 : undefined;
}

/** Empty where the model has no such memory, the data are no colour images, or nothing is wrong. */
export async function preprocessingCauses(
  { original, inputs }: Prepared,
  recipe: Recipe,
  baseDir: string,
  context: JobContext,
): Promise<Cause[]> {
  const { calibration } = recipe;
  const { model } = await normalizeFor({ ...recipe, normalize: { ...recipe.normalize, batchnorm: false } }, original);
  const graph = new Graph(model);
  const node = graph.nodes.find(({ opType }) => opType === 'BatchNormalization');
  const [tensor = '', , , mean, variance] = node?.input ?? [];
  const [means, variances] = [mean, variance].map((name) => (name === undefined ? undefined : graph.constant(name)));
  if (
    calibration === undefined ||
    means === undefined ||
    variances === undefined ||
    graph.producer(tensor) === undefined
  )
    return [];
  const trained = { mean: toFloat32(means), variance: toFloat32(variances) };
  const cut = withOutputs(model, [tensor]);
  graphOf(cut).output = [nameOnly(tensor)];
  const session = await openSession(cut, { threads: context.threads ?? 1 });
  try {
    const current = preprocessOf(recipe.preprocess);
    const candidates = [current, ...alternatives(current)];
    const divergences: number[] = [];
    for (const preprocess of candidates) {
      const dataset = await openDataset(calibration.data, inputs, {
        ...{ baseDir, preprocess, samples: SAMPLES, trusted: context.trusted === true },
      });
      if (dataset.kind !== 'images') return [];
      const moments = new MomentSums(trained.mean.length);
      for await (const { feeds } of dataset.samples(context.signal)) {
        moments.add(toFloat32((await session.run(feeds))[tensor]!));
      }
      divergences.push(divergence(moments.result(), trained));
    }
    const found = likelier(divergences);
    return found === undefined ? [] : [causeOf(current, candidates[found]!, divergences[0]!, divergences[found]!)];
  } finally {
    await session.close();
  }
}

/** The other order of the colours, and other values for the same picture. */
function alternatives(current: Preprocess): Preprocess[] {
  const values: ReadonlySet<string> = new Set(['preset', 'scale', 'mean', 'std', 'color']);
  const geometry: Preprocess = Object.fromEntries(Object.entries(current).filter(([key]) => !values.has(key)));
  const flipped: Preprocess = { ...current, color: isBgr(current) ? 'rgb' : 'bgr' };
  const prepared: Preprocess[] = [{}, ...PREPROCESS_PRESETS.map((preset) => ({ preset }))];
  const others = prepared.flatMap((value) =>
    (['rgb', 'bgr'] as const).map((color) => ({ ...geometry, ...value, color })),
  );
  return [flipped, ...others];
}

function isBgr({ color, preset }: Preprocess): boolean {
  return color === undefined ? preset === 'caffe' : color === 'bgr';
}

function causeOf(current: Preprocess, better: Preprocess, was: number, is: number): Cause {
  const onlyColor = better.preset === current.preset && better.scale === current.scale && better.mean === current.mean;
  const what = onlyColor
    ? `The images are read as ${isBgr(current) ? 'BGR' : 'RGB'}, but the model seems to be trained on ${isBgr(better) ? 'BGR' : 'RGB'}`
    : `The values of the images are not those that the model seems to be trained on (${describe(better)})`;
  const sentence = `${what}: what its first BatchNormalization reads is ${was.toFixed(2)} nats from what it read in training, and would be ${is.toFixed(2)}.`;
  const detail =
    'Ranges and errors measured on wrongly prepared images mean nothing, and the accuracy suffers in fp32 too.';
  const title = onlyColor
    ? `Read the images as ${isBgr(better) ? 'BGR' : 'RGB'}`
    : `Prepare the images as ${describe(better)}`;
  const change = { kind: 'preprocess', preprocess: better } as const;
  return { kind: 'preprocessing', sentence, fix: { kind: 'preprocess', title, detail, change, preferred: true } };
}

function describe(preprocess: Preprocess): string {
  return `${isBgr(preprocess) ? 'BGR' : 'RGB'} ${preprocess.preset ?? '0…255'}`;
}

/** Mean and variance of every channel of tensors N×C×… */
class MomentSums {
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(channels: number) {
    this.#sum = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** Of a batch of one. */
  add(values: Float32Array): void {
    const channels = this.#sum.length;
    const inner = values.length / channels;
    for (let c = 0; c < channels; c++) {
      for (let i = c * inner; i < (c + 1) * inner; i++) {
        this.#sum[c]! += values[i]!;
        this.#squares[c]! += values[i]! ** 2;
      }
    }
    this.#count += inner;
  }

  result(): Moments {
    const mean = this.#sum.map((sum) => sum / this.#count);
    return { mean, variance: this.#squares.map((sum, c) => sum / this.#count - mean[c]! ** 2) };
  }
}
