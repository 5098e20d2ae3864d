/**
 * How far the int8 model is from the fp32 model, tensor by tensor, in one stream over the samples.
 * Only sums of squares are kept, so memory does not grow with the number of samples.
 *
 * accumulated: both models run from their inputs; the int8 model is read where its fused kernels write
 * integers, so what is measured is what is deployed. local: every layer alone, fed fp32 tensors.
 */

import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { OnProgress } from '../../shared/progress';
import { INCOMPARABLE, isIncomparable, type Measured } from '../../shared/measured';
import type { OutputReport } from '../../shared/report';
import type { Conversion } from '../convert/types';
import type { Dataset, Sample } from '../data/types';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { Plan, PlannedLayer } from '../plan/types';
import { optimizedModel } from '../runtime/deployed';
import { withOutputs } from '../runtime/inspect';
import { openSession, type OptimizationLevel, type Session, type TensorInfo } from '../runtime/session';
import { bytesPerElement, toFloat32, type Tensor } from '../tensor';
import { ErrorAccumulator, isComparable } from './errors';
import { SaturationMeter } from './saturationMeter';
import { ShadowParts, shadowsOf } from './shadowParts';
import type { Quantized } from './sums';
import { chooseTaps, type Tap, type Unmatched } from './taps';

const DEFAULT_MEMORY_CAP = 512 * 2 ** 20;

export interface LayerErrors {
  /** The layer alone quantized, fed fp32 inputs; `null` where it is not quantized or cannot stand alone. */
  readonly local: Measured | null;
  /** fp32 model against int8 model at the layer's output; `null` where that is not compared. */
  readonly accumulated: Measured | null;
  /** Share of pair sums that `vpmaddubsw` would clip; `null` where not asked for or not u8×s8. */
  readonly saturation: number | null;
}

export interface Analysis {
  /** By layer name; every layer of the plan. */
  readonly layers: ReadonlyMap<string, LayerErrors>;
  /** The accumulated error of every compared tensor, by its name in the fp32 model. */
  readonly tensors: ReadonlyMap<string, Measured>;
  /** The float outputs of the model. */
  readonly outputs: readonly OutputReport[];
  /** Number of float tensors of the fp32 model that were compared. */
  readonly matched: number;
  readonly unmatched: readonly Unmatched[];
}

export interface AnalyzeOptions {
  /** The normalised fp32 model. */
  readonly fp32: OnnxModel;
  readonly conversion: Conversion;
  readonly plan: Plan;
  /** Type and shape of the inputs and node outputs of `fp32`. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly samples: Pick<Dataset, 'samples' | 'count'>;
  readonly threads?: number;
  /** Upper bound for the tensors of one run; a model with more is measured in several passes over the samples. */
  readonly memoryCapBytes?: number;
  /** Estimate saturation on this many of the samples. */
  readonly saturationSamples?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Both models' outputs of each sample, once. */
  readonly onOutputs?: (
    sample: string,
    fp32: Readonly<Record<string, Tensor>>,
    int8: Readonly<Record<string, Tensor>>,
  ) => void;
}

/** What one pass over the samples measures. */
interface Group {
  readonly layers: PlannedLayer[];
  readonly taps: Tap[];
}

/**
 * @throws `data-empty` without a single sample, `runtime-rejected`, `runtime-failed`, `cancelled`, and
 *   what reading the samples throws
 */
export async function analyze(options: AnalyzeOptions): Promise<Analysis> {
  const { fp32, conversion, plan, tensors, signal } = options;
  const graph = new Graph(fp32);
  const optimized = new Graph(await optimizedModel(conversion.model, 'extended'));
  throwIfCancelled(signal);
  const { taps, unmatched } = chooseTaps(graph, tensors, plan, conversion, optimized);
  const groups = groupByMemory(plan, taps, tensors, options.memoryCapBytes ?? DEFAULT_MEMORY_CAP);
  const int8 = new Graph(conversion.model);
  const results = new Results(plan, new SaturationMeter(conversion, int8));
  for (const [index, group] of groups.entries()) {
    await measureGroup(
      options,
      { ...group, index, count: groups.length, outputs: graph.outputs },
      int8,
      graph,
      results,
    );
  }
  return results.finish(taps, unmatched, graph.outputs);
}

/** Layers in order, as many in one group as fit under the cap, with the taps at their outputs. */
export function groupByMemory(
  plan: Plan,
  taps: readonly Tap[],
  tensors: ReadonlyMap<string, TensorInfo>,
  capBytes: number,
): Group[] {
  const byTensor = new Map(taps.map((tap) => [tap.tensor, tap]));
  const units: (Group & { bytes: number })[] = [];
  for (const layer of plan.layers) {
    const own = [layer.node, ...layer.fused].flatMap((node) => node.output).flatMap((name) => byTensor.get(name) ?? []);
    for (const tap of own) byTensor.delete(tap.tensor);
    const layers = layer.quantize ? [layer] : [];
    const read = layers.flatMap((l) => l.inputs).reduce((sum, name) => sum + bytesOf(tensors.get(name)), 0);
    // The reference, and at most as much again for the accumulated and for the local approximation.
    const made = own.reduce((sum, tap) => sum + 3 * bytesOf(tensors.get(tap.tensor)), 0);
    units.push({ layers, taps: own, bytes: read + made });
  }
  const groups: (Group & { bytes: number })[] = [];
  // What belongs to no layer, the model inputs, goes with the first.
  let current = { layers: [] as PlannedLayer[], taps: [...byTensor.values()], bytes: 0 };
  groups.push(current);
  for (const unit of units) {
    if (current.bytes > 0 && current.bytes + unit.bytes > capBytes) {
      current = { layers: [], taps: [], bytes: 0 };
      groups.push(current);
    }
    current.layers.push(...unit.layers);
    current.taps.push(...unit.taps);
    current.bytes += unit.bytes;
  }
  return groups;
}

/** Symbolic dimensions are mostly batch sizes, and count as 1. */
function bytesOf(info: TensorInfo | undefined): number {
  if (info === undefined) return 0;
  return info.shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), bytesPerElement(info.type));
}

const UNEVEN = 'of another size in the int8 model: it depends on what the model finds';

/** The measures as they grow. */
class Results {
  readonly #accumulated = new Map<string, ErrorAccumulator>();
  /** Of layers with several outputs, over all of them. */
  readonly #pooled = new Map<string, ErrorAccumulator>();
  readonly #local = new Map<string, ErrorAccumulator>();
  readonly #layers = new Map<string, PlannedLayer>();
  /** Tensors that had another size in the int8 model. */
  readonly #uneven = new Set<string>();

  readonly #plan: Plan;
  readonly saturation: SaturationMeter;

  constructor(plan: Plan, saturation: SaturationMeter) {
    this.#plan = plan;
    this.saturation = saturation;
    for (const layer of plan.layers) for (const name of layer.outputs) this.#layers.set(name, layer);
  }

  addAccumulated(
    sample: string,
    tensor: string,
    reference: Float32Array,
    approximation: Float32Array | Quantized,
  ): void {
    if (!isComparable(reference, approximation)) this.#uneven.add(tensor);
    if (this.#uneven.has(tensor)) return;
    accumulatorOf(this.#accumulated, tensor).add(sample, reference, approximation);
    const layer = this.#layers.get(tensor);
    if (layer !== undefined && layer.outputs.length > 1) {
      accumulatorOf(this.#pooled, layer.name).add(sample, reference, approximation);
    }
  }

  /** Of a layer with several outputs over all of them; `null` where one of them cannot be compared. */
  #accumulatedOf({ name, outputs }: PlannedLayer, tensors: ReadonlyMap<string, Measured>): Measured | null {
    if (outputs.some((tensor) => this.#uneven.has(tensor))) return null;
    return this.#pooled.get(name)?.result() ?? tensors.get(outputs[0] ?? '') ?? null;
  }

  addLocal(sample: string, layer: string, reference: Float32Array, approximation: Float32Array | Quantized): void {
    accumulatorOf(this.#local, layer).add(sample, reference, approximation);
  }

  finish(taps: readonly Tap[], unmatched: readonly Unmatched[], outputs: readonly string[]): Analysis {
    const tensors = new Map<string, Measured>();
    for (const [name, accumulator] of this.#accumulated) {
      const measure = this.#uneven.has(name) ? null : accumulator.result();
      if (measure !== null) tensors.set(name, measure);
    }
    if (taps.length > 0 && this.#accumulated.size + this.#uneven.size === 0) {
      throw new QuantscopeError('data-empty', 'There was no sample to compare the models on.');
    }
    const silent = [...tensors].flatMap(([tensor, measure]) =>
      isIncomparable(measure) ? [{ tensor, why: INCOMPARABLE[measure.incomparable] }] : [],
    );
    const layers = new Map(
      this.#plan.layers.map((layer) => [
        layer.name,
        {
          local: this.#local.get(layer.name)?.result() ?? null,
          accumulated: this.#accumulatedOf(layer, tensors),
          saturation: this.saturation.rateOf(layer.name),
        },
      ]),
    );
    return {
      layers,
      tensors,
      outputs: outputs.flatMap((name) => {
        const error = tensors.get(name);
        return error === undefined ? [] : [{ name, error }];
      }),
      matched: tensors.size - silent.length,
      unmatched: [...unmatched, ...[...this.#uneven].map((tensor) => ({ tensor, why: UNEVEN })), ...silent],
    };
  }
}

function accumulatorOf(map: Map<string, ErrorAccumulator>, key: string): ErrorAccumulator {
  const found = map.get(key) ?? new ErrorAccumulator();
  map.set(key, found);
  return found;
}

/** A group as one pass over the samples. */
interface Pass extends Group {
  readonly index: number;
  readonly count: number;
  /** Of the model. */
  readonly outputs: readonly string[];
}

/** The sessions of one pass, and what each of them is asked for. */
interface Sessions {
  readonly fp32: Session;
  readonly int8: Session;
  readonly local: ShadowParts;
}

async function measureGroup(
  options: AnalyzeOptions,
  group: Pass,
  int8: Graph,
  fp32: Graph,
  results: Results,
): Promise<void> {
  const { samples, signal, onProgress } = options;
  const sessions = await openSessions(options, group, int8, fp32);
  const total = samples.count * group.count;
  const started = performance.now();
  let done = 0;
  try {
    for await (const sample of samples.samples(signal)) {
      throwIfCancelled(signal);
      await measureSample(options, group, sessions, sample, done, results);
      done++;
      const rate = (1000 * done) / (performance.now() - started);
      const position = samples.count * group.index + done;
      onProgress?.({ stage: 'analyze', done: position, total, rate, secondsLeft: (total - position) / rate });
    }
  } finally {
    await Promise.all([sessions.fp32.close(), sessions.int8.close(), sessions.local.close()]);
  }
}

async function openSessions(options: AnalyzeOptions, group: Group, int8: Graph, fp32: Graph): Promise<Sessions> {
  const { conversion, tensors } = options;
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const shadows = shadowsOf(int8, conversion, tensors, group.layers);
  const inputs = new Set(fp32.inputs);
  const compared = [...group.taps, ...shadows.flatMap(({ taps }) => [...taps.values()].flat())];
  const references = [...compared.map((tap) => tap.tensor), ...shadows.flatMap((shadow) => shadow.inputs)].filter(
    (name) => !inputs.has(name),
  );
  // Tapped after optimizing: with more outputs the runtime would optimize otherwise, and that would be another model.
  const optimized = await optimizedModel(conversion.model, 'extended');
  const opened: Session[] = [];
  const open = async (model: OnnxModel, level: OptimizationLevel = 'all'): Promise<Session> => {
    const session = await openSession(model, { ...threads, level });
    opened.push(session);
    return session;
  };
  try {
    return {
      fp32: await open(withOutputs(options.fp32, references)),
      int8: await open(
        withOutputs(
          optimized,
          group.taps.map((tap) => tap.int8),
        ),
        'disabled',
      ),
      local: await ShadowParts.open(shadows, options.threads),
    };
  } catch (error) {
    await Promise.all(opened.map((session) => session.close()));
    throw error;
  }
}

async function measureSample(
  options: AnalyzeOptions,
  group: Pass,
  sessions: Sessions,
  sample: Sample,
  ordinal: number,
  results: Results,
): Promise<void> {
  const made = await sessions.fp32.run(sample.feeds);
  const references = { ...sample.feeds, ...made };
  const reference = (tensor: string): Float32Array => toFloat32(tensorOf(references, tensor));

  await sessions.local.run(
    (name) => tensorOf(references, name),
    (layer, taps, copies) => {
      for (const tap of taps) results.addLocal(sample.id, layer, reference(tap.tensor), valueOf(tap, copies));
    },
  );
  const int8 = await sessions.int8.run(sample.feeds);
  for (const tap of group.taps) {
    results.addAccumulated(sample.id, tap.tensor, reference(tap.tensor), valueOf(tap, int8));
  }
  if (ordinal < (options.saturationSamples ?? 0)) {
    for (const layer of group.layers) {
      const input = results.saturation.inputOf(layer);
      if (input !== undefined && input in references)
        results.saturation.add(layer, tensorOf(references, input), ordinal);
    }
  }
  if (group.index === 0) options.onOutputs?.(sample.id, pick(made, group.outputs), pick(int8, group.outputs));
}

function pick(tensors: Readonly<Record<string, Tensor>>, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(names.flatMap((name) => (tensors[name] === undefined ? [] : [[name, tensors[name]]])));
}

function tensorOf(tensors: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) throw new QuantscopeError('internal', `The tensor "${name}" was not computed.`);
  return tensor;
}

function valueOf({ int8, quantization }: Tap, tensors: Readonly<Record<string, Tensor>>): Float32Array | Quantized {
  const tensor = tensorOf(tensors, int8);
  if (quantization === undefined) return toFloat32(tensor);
  return { data: tensor.data as Quantized['data'], scale: quantization.scale, zeroPoint: quantization.zeroPoint };
}
