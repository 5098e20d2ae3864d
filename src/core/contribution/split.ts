/**
 * What kind of error a layer makes: the power of its local error, split over the steps from fp32 to the
 * int8 kernel. With δᵢ what step i adds and e = Σδᵢ the whole error, the share of a step is Σδᵢ·e: the
 * shares sum to Σe² exactly, and a step that takes back what another did has a negative one.
 */

import { throwIfCancelled } from '../../shared/errors';
import type { OnProgress } from '../../shared/progress';
import { ERROR_SOURCES, type ErrorSource, type ErrorSplit } from '../../shared/verdicts';
import { dequantize } from '../analyze/sums';
import { buildShadow } from '../analyze/shadow';
import type { Dataset } from '../data/types';
import type { PlannedLayer } from '../plan/types';
import { RateMeter } from '../rate';
import { withOutputs } from '../runtime/inspect';
import { openSession, type Session } from '../runtime/session';
import { bytesPerElement, toFloat32, type Tensor } from '../tensor';
import type { Pair } from './layerVariants';
import { buildSteps, canSplit, STEPS, type Step } from './steps';

export interface SplitOptions {
  readonly pair: Pair;
  readonly layers: readonly PlannedLayer[];
  readonly samples: Pick<Dataset, 'samples' | 'count'>;
  readonly threads?: number;
  readonly memoryCapBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

const DEFAULT_MEMORY_CAP = 512 * 2 ** 20;

/** Rounding and clipping of what comes in and of what goes out are one kind each. */
const SOURCE_OF: Readonly<Record<Step, ErrorSource>> = {
  'activation-clipping': 'activation-clipping',
  'activation-rounding': 'activation-rounding',
  'weight-clipping': 'weight-clipping',
  'weight-rounding': 'weight-rounding',
  bias: 'bias',
  'output-clipping': 'activation-clipping',
  'output-rounding': 'activation-rounding',
};

/** @returns by layer; layers that cannot be split are missing */
export async function splitErrors(options: SplitOptions): Promise<Map<string, ErrorSplit>> {
  const { pair, samples } = options;
  const groups = groupLayers(options);
  const progress = new RateMeter('analyze', groups.length * samples.count, options.onProgress);
  const totals = new Map<string, Totals>();
  for (const layers of groups) await splitGroup(options, layers, totals, progress);
  const splits = new Map<string, ErrorSplit>();
  for (const { name } of pair.plan.layers) {
    const total = totals.get(name);
    if (total !== undefined) splits.set(name, total.result());
  }
  return splits;
}

class Totals {
  readonly #shares = new Map<ErrorSource, number>();
  #error = 0;
  #signal = 0;

  /** @param states fp32, after each step, and the kernel's */
  add(states: readonly Float32Array[], sources: readonly ErrorSource[]): void {
    const [reference] = states;
    const last = states.at(-1)!;
    if (reference === undefined) return;
    const shares = new Float64Array(sources.length);
    for (let i = 0; i < reference.length; i++) {
      const start = reference[i]!;
      const error = last[i]! - start;
      if (!Number.isFinite(error)) continue;
      this.#signal += start * start;
      this.#error += error * error;
      let before = start;
      for (let step = 0; step < shares.length; step++) {
        const value = states[step + 1]![i]!;
        shares[step] = shares[step]! + (value - before) * error;
        before = value;
      }
    }
    sources.forEach((source, step) => this.#shares.set(source, (this.#shares.get(source) ?? 0) + shares[step]!));
  }

  result(): ErrorSplit {
    const shares = ERROR_SOURCES.map((source) => [source, this.#shares.get(source) ?? 0] as const);
    const sum = shares.reduce((total, [, share]) => total + share, 0);
    return {
      // Relative to the signal, so that layers can be compared.
      power: this.#signal === 0 ? 0 : this.#error / this.#signal,
      shares: Object.fromEntries(
        shares.map(([source, share]) => [source, sum === 0 ? 0 : share / this.#error]),
      ) as ErrorSplit['shares'],
    };
  }
}

async function splitGroup(
  { pair, samples, threads, signal }: SplitOptions,
  layers: readonly PlannedLayer[],
  totals: Map<string, Totals>,
  progress: RateMeter,
): Promise<void> {
  const steps = buildSteps(pair, layers);
  const shadow = buildShadow(pair.int8, pair.conversion, pair.tensors, layers);
  if (steps === null || shadow === null) return;
  const inputs = new Set(pair.fp32.inputs);
  const references = [...layers.flatMap(({ outputs }) => outputs), ...steps.inputs, ...shadow.inputs];
  const options = threads === undefined ? {} : { threads };
  const opened: Session[] = [];
  const open = async (...args: Parameters<typeof openSession>): Promise<Session> => {
    const session = await openSession(...args);
    opened.push(session);
    return session;
  };
  try {
    const fp32 = await open(
      withOutputs(
        pair.fp32Model,
        references.filter((name) => !inputs.has(name)),
      ),
      options,
    );
    // So the runtime keeps the conversions as they stand, and computes between them in float with the weights given.
    const exact = await open(steps.model, { ...options, level: 'basic', config: { 'session.disable_quant_qdq': '1' } });
    const kernels = await open(shadow.model, options);
    for await (const { feeds } of samples.samples(signal)) {
      throwIfCancelled(signal);
      const known = { ...feeds, ...(await fp32.run(feeds)) };
      const made = await exact.run(pick(known, steps.inputs));
      const run = await kernels.run(pick(known, shadow.inputs));
      for (const [layer, outputs] of steps.outputs) {
        const tap = shadow.taps.get(layer)?.[0];
        const reference = tap === undefined ? undefined : known[tap.tensor];
        const kernel = tap === undefined ? undefined : run[tap.int8];
        if (reference === undefined || kernel === undefined) continue;
        const grid = tap?.quantization;
        const final = grid === undefined ? toFloat32(kernel) : dequantize({ data: kernel.data as Uint8Array, ...grid });
        const states = [toFloat32(reference), ...outputs.map((name) => toFloat32(made[name]!)), final];
        const total = totals.get(layer) ?? new Totals();
        totals.set(layer, total);
        total.add(states, SOURCES);
      }
      progress.step();
    }
  } finally {
    await Promise.all(opened.map((session) => session.close()));
  }
}

const SOURCES: readonly ErrorSource[] = [...STEPS.map((step) => SOURCE_OF[step]), 'kernel'];

function pick(tensors: Readonly<Record<string, Tensor>>, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(names.flatMap((name) => (tensors[name] === undefined ? [] : [[name, tensors[name]]])));
}

/** As many layers at once as their states fit under the cap. */
function groupLayers({ pair, layers, memoryCapBytes }: SplitOptions): PlannedLayer[][] {
  const cap = memoryCapBytes ?? DEFAULT_MEMORY_CAP;
  const groups: PlannedLayer[][] = [];
  let bytes = Infinity;
  for (const layer of layers.filter((l) => canSplit(l))) {
    const own = layer.outputs.reduce((sum, name) => {
      const info = pair.tensors.get(name);
      if (info === undefined) return sum;
      return sum + info.shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), bytesPerElement(info.type));
    }, 0);
    const taken = own * (STEPS.length + 2);
    if (bytes + taken > cap) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(layer);
    bytes += taken;
  }
  return groups;
}
