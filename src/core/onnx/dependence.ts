/**
 * What a tensor follows from: what is fed, the shapes of tensors alone, or constants and shapes that are
 * the same in every run. Shapes come from values where an operator reads them off an input.
 */

import { subgraphs } from './attributes';
import type { NodeProto } from './generated/onnx_pb';
import { opKey, type Graph } from './graph';

/** `fixed`: the same whatever is fed, for one shape of the inputs. `shape`: follows from shapes alone. */
export type Origin = 'fixed' | 'shape' | 'data';

const RANK: Readonly<Record<Origin, number>> = { fixed: 0, shape: 1, data: 2 };

/** Inputs whose values say how large the outputs are (onnx/docs/Operators.md); `all` where the data itself does. */
const SIZE_INPUTS: Readonly<Record<string, readonly number[] | 'all'>> = {
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  Compress: 'all',
  ConstantOfShape: [0],
  DFT: [1],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  MaxUnpool: [2],
  MelWeightMatrix: 'all',
  NonMaxSuppression: 'all',
  NonZero: 'all',
  OneHot: [1],
  Pad: [1, 3],
  Range: 'all',
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  Reshape: [1],
  Resize: [1, 2, 3],
  STFT: [1, 2, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1, 2],
  TopK: [1],
  Unique: 'all',
  Unsqueeze: [1],
  Upsample: [1],
};

/** Differ from run to run, or are the quantized form itself, which is not computed with. */
export const NEVER_FIXED: ReadonlySet<string> = new Set([
  'Bernoulli',
  'Dropout',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'QuantizeLinear',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
]);

export class Dependence {
  readonly #origins = new Map<string, Origin>();
  /** Tensors whose shape follows from values that are fed. */
  readonly #sized = new Set<string>();

  constructor(graph: Graph) {
    for (const name of graph.inputs) this.#origins.set(name, 'data');
    for (const node of graph.nodes) this.#visit(node);
  }

  /** Constants are `fixed`. */
  origin(tensor: string): Origin {
    return this.#origins.get(tensor) ?? 'fixed';
  }

  /** Whether values and shape are the same in every run with inputs of one shape. */
  isFixed(tensor: string): boolean {
    return this.origin(tensor) === 'fixed' && !this.#sized.has(tensor);
  }

  #visit(node: NodeProto): void {
    const inputs = node.input.filter((name) => name !== '');
    const sized = this.#isSized(node, inputs);
    const origin = this.#originOf(node, inputs);
    for (const name of node.output) {
      this.#origins.set(name, origin);
      if (sized) this.#sized.add(name);
    }
  }

  #originOf(node: NodeProto, inputs: readonly string[]): Origin {
    const anySized = inputs.some((name) => this.#sized.has(name));
    if (isOpaque(node)) return 'data';
    if (node.opType === 'Shape' || node.opType === 'Size') return anySized ? 'shape' : 'fixed';
    const origins = inputs.map((name) => this.origin(name));
    return origins.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), anySized ? 'shape' : 'fixed');
  }

  #isSized(node: NodeProto, inputs: readonly string[]): boolean {
    if (isOpaque(node) || inputs.some((name) => this.#sized.has(name))) return true;
    const positions = Object.hasOwn(SIZE_INPUTS, node.opType) ? SIZE_INPUTS[node.opType]! : [];
    const readsSize = positions === 'all' ? inputs : positions.map((index) => node.input[index] ?? '');
    return readsSize.some((name) => this.origin(name) !== 'fixed');
  }
}

/** Sequences may hold tensors of unlike shapes, strings split into any number of words. */
const UNSIZED = /Sequence|^Optional|^String|^ImageDecoder$/;

/** Nothing is known of what it does with its inputs, or it does not do the same every time. */
function isOpaque(node: NodeProto): boolean {
  const { opType } = node;
  return opKey(node) !== opType || subgraphs(node).length > 0 || NEVER_FIXED.has(opType) || UNSIZED.test(opType);
}
