/**
 * Bringing a model into the form that quantization works on: every node named, weights as plain
 * constants, float32 inside, an opset that can say what is needed, BatchNormalization and constants
 * folded. Each step that changed something is reported, in order.
 *
 * The runtime's own optimizer is not used for the folding, although at level `basic` it would do
 * both: on models nobody here made it also merges equal subexpressions, turns MatMul and Add into
 * Gemm, moves transposes, renames initializers, adds imports of the runtime's own domains and drops
 * metadata, and none of that can be turned off from outside. Layers are matched between the float
 * and the int8 model by node and tensor names, and the user's model should differ from the quantized
 * one by quantization alone.
 */

import { cloneModel, graphOf, opsetVersion, type OnnxModel } from '../onnx/model';
import { QuantscopeError } from '../../shared/errors';
import { dropNoOps } from './dropNoOps';
import { equalize, unevenness } from './equalize';
import { foldBatchnorm } from './foldBatchnorm';
import { foldConstants, foldShapes, hasFixedInputs } from './foldConstants';
import { halfToFloat } from './half';
import { inlineFunctions } from './inlineFunctions';
import { nameNodes } from './names';
import { irVersionFor, raiseOpset } from './opset';
import { plainGemms } from './plainGemm';
import { inferOrNothing } from './shapes';
import { splitConcats } from './splitConcat';

export interface NormalizeStep {
  readonly id:
    | 'name-nodes'
    | 'inline-functions'
    | 'drop-no-ops'
    | 'initializers-from-inputs'
    | 'half-to-float'
    | 'raise-ir'
    | 'fold-constants'
    | 'raise-opset'
    | 'plain-gemm'
    | 'fold-batchnorm'
    | 'fold-arithmetic'
    | 'split-concat'
    | 'equalize'
    | 'smooth';
  /** One sentence for people, with figures. */
  readonly description: string;
  /** Names of the nodes it touched; of the tensors for `initializers-from-inputs`. */
  readonly nodes: readonly string[];
}

export interface NormalizeOptions {
  /** Fold per-channel arithmetic, BatchNormalization above all, into the layer before it. Default true. */
  readonly batchnorm?: boolean;
  /** Fold constant subgraphs. Default true. */
  readonly constants?: boolean;
  /** Names of Concats of which every reader is split by their inputs. Default none. */
  readonly split?: readonly string[];
  /** Even out the channels between neighbouring layers. Default false. */
  readonly equalize?: boolean;
  /** `auto` (default) raises to `requiredOpset`, a number to that one, `keep` not at all. */
  readonly opset?: 'auto' | 'keep' | number;
  /** The lowest opset that can express what will be written, e.g. 13 for per-channel scales. */
  readonly requiredOpset: number;
}

export interface Normalized {
  readonly model: OnnxModel;
  readonly steps: readonly NormalizeStep[];
  /** The parts of layers that were split, by name, with the name of the layer. */
  readonly parts: ReadonlyMap<string, string>;
}

/** From IR 4 on an initializer need not be an input; 8 is what every exporter of the last years writes. */
const IR_WITHOUT_INPUTS = 8;

/** Folding a constant can make another shape known; real exports settle after two rounds. */
const MAX_FOLD_ROUNDS = 8;

/**
 * Normalizes a model; the given one is not changed. With `opset: 'keep'` the opset may stay below
 * `requiredOpset`, which the caller has to refuse or work around.
 * @throws `opset-conversion` where a node cannot be written at the wanted opset, `external-data-*`,
 *   `plan-impossible` for a Concat that cannot be split
 */
export async function normalizeModel(model: OnnxModel, options: NormalizeOptions): Promise<Normalized> {
  const copy = cloneModel(model);
  const graph = graphOf(copy);
  const steps: NormalizeStep[] = [];
  const parts = new Map<string, string>();
  const report = (id: NormalizeStep['id'], description: string, nodes: readonly string[]): void => {
    if (nodes.length > 0) steps.push({ id, description, nodes });
  };

  const named = nameNodes(graph);
  report('name-nodes', `Named ${count(named, 'node')} that had no name of its own.`, named);

  const { calls, rebound } = inlineFunctions(copy);
  const elsewhere = rebound.length === 0 ? '' : ` At the opset of the model, not their own: ${rebound.join(', ')}.`;
  report('inline-functions', `Put the bodies of functions in the place of ${count(calls, 'call')}.${elsewhere}`, calls);

  const freed = freeInitializers(copy);
  report('initializers-from-inputs', `Took ${count(freed, 'weight')} out of the inputs of the model.`, freed);

  const half = halfToFloat(copy);
  if (half !== undefined) {
    const casts = count(half.casts, 'Cast');
    steps.push({
      id: 'half-to-float',
      description: `Converted ${half.tensors} tensors from float16 to float32; ${casts} keep the interface in float16.`,
      nodes: half.casts,
    });
  }

  const target = targetOpset(opsetVersion(copy), options);
  raiseIr(copy, target, freed.length > 0, steps);
  if (options.constants !== false) await foldAllConstants(copy, steps);

  const noOps = dropNoOps(copy);
  report('drop-no-ops', `Took out ${count(noOps, 'node')} that hand on what they read.`, noOps);

  const before = opsetVersion(copy);
  if (target !== undefined && target !== before) {
    const rewritten = raiseOpset(copy, target, await inferOrNothing(copy));
    const from = before === undefined ? 'nothing' : `${before}`;
    steps.push({
      id: 'raise-opset',
      description: `Raised the opset from ${from} to ${target}, rewriting ${count(rewritten, 'node')}.`,
      nodes: rewritten,
    });
  }

  const gemms = plainGemms(copy);
  const why = 'α and β are in their constants, and what is no bias or is transposed stands beside them';
  report('plain-gemm', `Wrote ${count(gemms, 'Gemm')} in the form of int8 kernels: ${why}.`, gemms);

  if (options.batchnorm !== false) {
    const { batchnorms, arithmetic } = foldBatchnorm(copy);
    report('fold-batchnorm', `Folded ${count(batchnorms, 'BatchNormalization')} into the layer before.`, batchnorms);
    report(
      'fold-arithmetic',
      `Folded ${arithmetic.length} per-channel Mul, Div, Add or Sub into the layer before.`,
      arithmetic,
    );
  }
  if (options.split !== undefined && options.split.length > 0) {
    const split = splitConcats(copy, await inferOrNothing(copy), options.split);
    const readers = count([...new Set(split.flatMap((concat) => concat.readers))], 'layer');
    const names = split.map(({ concat }) => concat);
    // What is split may be the part of another split.
    for (const [part, layer] of split.flatMap((concat) => [...concat.parts]))
      parts.set(part, parts.get(layer) ?? layer);
    report('split-concat', `Split ${readers} by the inputs of ${count(names, 'Concat')}, which went.`, names);
  }
  if (options.equalize === true) {
    const pairs = equalize(copy);
    const times = `${Number(unevenness(pairs).toPrecision(3))}`;
    const nodes = [...new Set(pairs.flatMap(({ first, second }) => [first, second]))];
    report('equalize', `Evened out the channels between ${pairs.length} pairs of layers, by up to ${times}×.`, nodes);
  }
  return { model: copy, steps, parts };
}

function count(names: readonly string[], what: string): string {
  return `${names.length} ${what}${names.length === 1 ? '' : 's'}`;
}

/** Initializers that are also inputs can be overridden by the caller, and so are no constants. */
function freeInitializers(model: OnnxModel): string[] {
  const graph = graphOf(model);
  const constants = new Set(graph.initializer.map((tensor) => tensor.name));
  const freed = graph.input.map((v) => v.name).filter((name) => constants.has(name));
  graph.input = graph.input.filter((v) => !constants.has(v.name));
  return freed;
}

/** `undefined` for no change. */
function targetOpset(
  current: number | undefined,
  { opset = 'auto', requiredOpset }: NormalizeOptions,
): number | undefined {
  if (opset === 'keep') return undefined;
  if (opset === 'auto') return current !== undefined && current >= requiredOpset ? undefined : requiredOpset;
  return opset;
}

function raiseIr(model: OnnxModel, target: number | undefined, freed: boolean, steps: NormalizeStep[]): void {
  const from = Number(model.proto.irVersion);
  const least = target === undefined ? 0 : irVersionFor(target);
  // Below IR 4 every initializer has to be an input, and the steps after this one add some.
  const wanted = Math.max(from, least, freed || from < 4 ? IR_WITHOUT_INPUTS : 0);
  if (wanted === from) return;
  model.proto.irVersion = BigInt(wanted);
  steps.push({ id: 'raise-ir', description: `Raised the IR version from ${from} to ${wanted}.`, nodes: [] });
}

function asksShapes(model: OnnxModel): boolean {
  return graphOf(model).node.some(({ opType }) => opType === 'Shape' || opType === 'Size');
}

async function foldAllConstants(model: OnnxModel, steps: NormalizeStep[]): Promise<void> {
  const before = graphOf(model).initializer.length;
  let folded: string[] = [];
  let failure = '';
  try {
    for (let round = 0, more = true; more && round < MAX_FOLD_ROUNDS; round++) {
      const infos = round === 0 ? undefined : await inferOrNothing(model);
      const { gone, tooLarge } = await foldConstants(model, (tensor) => infos?.get(tensor)?.shape);
      folded = [...folded, ...gone];
      if (asksShapes(model) && hasFixedInputs(model)) {
        folded = [...folded, ...(await foldShapes(model))];
        break;
      }
      more = (tooLarge || asksShapes(model)) && (gone.length > 0 || round === 0);
    }
  } catch (error) {
    // A constant part that the runtime cannot run stays as it is; everything after works without.
    if (!(error instanceof QuantscopeError)) throw error;
    failure = ` Stopped there: ${error.message}`;
  }
  if (folded.length === 0 && failure === '') return;
  const after = graphOf(model).initializer.length;
  const figures = `Folded ${count(folded, 'constant node')}; ${before} initializers became ${after}.`;
  steps.push({ id: 'fold-constants', description: figures + failure, nodes: folded });
}
