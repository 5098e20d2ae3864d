/** Runs many variants of a model over samples and tells how far each is from the fp32 model at its outputs. */

import { throwIfCancelled } from '../../shared/errors';
import type { OnProgress } from '../../shared/progress';
import { isIncomparable, type ErrorMeasure, type Measured } from '../../shared/measured';
import { assertComparable, nothingToCompare } from '../analyze/errors';
import type { Dataset } from '../data/types';
import type { TensorProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { OutputParts, Outputs } from '../parts/outputParts';
import { UnitErrors } from '../parts/partErrors';
import { RateMeter } from '../rate';
import { openSession, type SessionOptions, type TensorInfo } from '../runtime/session';
import { bytesPerElement, isFloatType, toFloat32, type Tensor } from '../tensor';
import type { LayerVariants } from './layerVariants';
import { reach, withVariants, type Variant } from './variants';

export interface SweepOptions {
  /** What the variants are variants of. */
  readonly base: OnnxModel;
  readonly graph: Graph;
  /** Type and shape of the base's tensors, as far as known; for the memory that a group takes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What to compare with, sample by sample; where left out, the base itself is the reference. */
  readonly references?: readonly Readonly<Record<string, Tensor>>[];
  readonly samples: Pick<Dataset, 'samples' | 'count'>;
  /** What is measured apart at the outputs: the worst of it counts. */
  readonly parts: OutputParts;
  /** Made for one group after the other, since each group is a graph of its own. */
  readonly build: (layers: readonly string[]) => LayerVariants;
  readonly layers: readonly string[];
  readonly threads?: number;
  /** Session config entries of the runtime. */
  readonly config?: Readonly<Record<string, string>>;
  readonly memoryCapBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** The outputs of every variant that it changes, by name of the base's output. */
  readonly onOutputs?: (ordinal: number, layer: string, outputs: Readonly<Record<string, Tensor>>) => void;
}

export interface Sweep {
  /** By layer; the error at the worst part of the model's outputs. `sqnr` is `null` where the variant changes no output. */
  readonly layers: ReadonlyMap<string, ErrorMeasure>;
  /** The base itself against the references; without error where it is its own reference. */
  readonly baseline: ErrorMeasure;
  /** The base's own outputs of every sample. */
  readonly outputs: readonly Readonly<Record<string, Tensor>>[];
  /** Milliseconds spent in the runtime. */
  readonly milliseconds: number;
}

const DEFAULT_MEMORY_CAP = 512 * 2 ** 20;
/** The runtime's optimizer takes longer than linear time; small graphs waste runs of the prefix. */
const MOST_NODES = 4_000;
/** No layer has this name. */
const BASE = '';
const NO_ERROR: ErrorMeasure = { sqnr: null, cosine: 1, worst: { sample: '', sqnr: null } };

/**
 * @throws `plan-impossible` where an output's size depends on the values, `runtime-rejected`, `runtime-failed`,
 *   `cancelled`, and what reading the samples throws
 */
export async function sweep(options: SweepOptions): Promise<Sweep> {
  const { base, graph, samples, signal } = options;
  const built = options.build(options.layers);
  const groups = groupVariants(graph, built.variants, options.tensors, options.memoryCapBytes ?? DEFAULT_MEMORY_CAP);
  const progress = new RateMeter('analyze', Math.max(1, groups.length) * samples.count, options.onProgress);
  const errors = new Map<string, UnitErrors>();
  const add = (layer: string, sample: string, reference: Outputs, made: Outputs): void => {
    for (const [name, y] of Object.entries(made)) {
      const x = reference[name];
      if (x !== undefined && isFloatType(y.type)) assertComparable(name, toFloat32(x), toFloat32(y));
    }
    let found = errors.get(layer);
    if (found === undefined) errors.set(layer, (found = new UnitErrors(options.parts)));
    found.add(sample, reference, made);
  };
  const outputs: Record<string, Tensor>[] = [];
  let milliseconds = 0;
  for (const layers of groups) {
    const { additions, variants } = groups.length === 1 ? built : options.build(layers);
    const extended = withVariants(base, graph, additions, [...variants.values()]);
    const session = await openSession(extended.model, sessionOptions(options));
    try {
      let ordinal = 0;
      for await (const { id, feeds } of samples.samples(signal)) {
        throwIfCancelled(signal);
        const started = performance.now();
        const made = await session.run(feeds);
        milliseconds += performance.now() - started;
        const own = Object.fromEntries(graph.outputs.flatMap((name) => (made[name] ? [[name, made[name]]] : [])));
        const reference = options.references?.[ordinal] ?? own;
        if (outputs[ordinal] === undefined) {
          outputs[ordinal] = own;
          add(BASE, id, reference, own);
        }
        for (const [index, layer] of [...variants.keys()].entries()) {
          const changed = extended.outputs[index]!;
          const values: Record<string, Tensor> = {};
          for (const name of graph.outputs) {
            const tensor = made[changed.get(name) ?? name];
            if (tensor !== undefined) values[name] = tensor;
          }
          add(layer, id, reference, values);
          options.onOutputs?.(ordinal, layer, values);
        }
        ordinal++;
        progress.step();
      }
    } finally {
      await session.close();
    }
  }
  const resultOf = (layer: string): ErrorMeasure => errorOrRefuse(errors.get(layer)?.worst());
  const measured = [...built.variants.keys()].map((layer) => [layer, resultOf(layer)] as const);
  const baseline = resultOf(BASE);
  return { layers: new Map(measured), baseline, outputs, milliseconds };
}

/** @throws `not-comparable` where the reference has no finite value at any output: no layer contributes to no error */
function errorOrRefuse(measure: Measured | null | undefined): ErrorMeasure {
  if (isIncomparable(measure)) throw nothingToCompare();
  return measure ?? NO_ERROR;
}

function sessionOptions({ threads, config }: SweepOptions): SessionOptions {
  return { ...(threads === undefined ? {} : { threads }), ...(config === undefined ? {} : { config }) };
}

/** As many layers to a graph as its memory allows: each copy of a layer holds its weights once more, repacked. */
function groupVariants(
  graph: Graph,
  variants: ReadonlyMap<string, Variant>,
  tensors: ReadonlyMap<string, TensorInfo>,
  capBytes: number,
): string[][] {
  const groups: string[][] = [];
  let current: string[] = [];
  let [nodes, bytes] = [0, 0];
  for (const [layer, variant] of variants) {
    const copied = reach(graph, variant);
    const weights = copied
      .flatMap(({ input }) => input)
      .reduce((sum, name) => sum + weightBytes(graph.initializer(name)), 0);
    const activations = copied
      .flatMap(({ output }) => output)
      .reduce((most, name) => Math.max(most, bytesOf(tensors.get(name))), 0);
    const taken = weights + 2 * activations;
    if (current.length > 0 && (nodes + copied.length > MOST_NODES || bytes + taken > capBytes)) {
      groups.push(current);
      current = [];
      [nodes, bytes] = [0, 0];
    }
    current.push(layer);
    nodes += copied.length;
    bytes += taken;
  }
  if (current.length > 0) groups.push(current);
  return groups;
}

function weightBytes(tensor: TensorProto | undefined): number {
  if (tensor === undefined) return 0;
  return tensor.dims.reduce((n, d) => n * Number(d), 4);
}

/** Symbolic dimensions are mostly batch sizes, and count as 1. */
function bytesOf(info: TensorInfo | undefined): number {
  if (info === undefined) return 0;
  return info.shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), bytesPerElement(info.type));
}
