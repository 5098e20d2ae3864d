/**
 * The runtime's graph of the written model held against the plan, layer by layer and in both directions. Pure, and
 * linear in the nodes and in the constants of float layers.
 *
 * A layer planned int8 that runs in float is a fact about the runtime, which the table shows. A layer planned float that
 * computes in int8, or with other weights than the fp32 model's, is a fault of ours: the model was written so that an
 * optimizer could take it (see `convert/exposure.ts`).
 */

import { plural } from '../../shared/format';
import { QuantscopeError } from '../../shared/errors';
import { computesInFloat, movesValues, onlyCuts } from '../convert/exposure';
import type { Conversion } from '../convert/types';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import type { Plan, PlannedLayer } from '../plan/types';
import { toFloat32, type Tensor } from '../tensor';
import { classify, findKernels, isConversion, type Kernel } from './kernels';

export interface Deviation {
  readonly layer: string;
  readonly planned: 'int8' | 'float';
  /** What the runtime does instead: other arithmetic, or float with weights or a bias that are not the fp32 model's. */
  readonly found: 'int8' | 'float' | 'other-weights';
  /** Operator type of the kernel; `null` where no kernel answers for the layer. */
  readonly kernel: string | null;
}

/**
 * @param optimized the runtime's graph of the written model at level `extended`
 * @param fp32 the normalised model
 */
export function deviations(plan: Plan, conversion: Conversion, optimized: Graph, fp32: Graph): Deviation[] {
  const kernels = findKernels(plan, conversion, optimized);
  const verdicts = classify(plan, kernels);
  const nodes = new Map(optimized.nodes.map((node) => [node.name, node]));
  // What the user's own conversions lead to is in the fp32 model as well.
  const ownConversions = fp32.nodes.some(isConversion);
  return plan.layers.flatMap((layer): Deviation[] => {
    const kernel = kernels.get(layer.name);
    const base = { layer: layer.name, kernel: kernel?.op ?? null };
    if (!computesInFloat(layer))
      return verdicts.get(layer.name)?.status === 'quantized' ? [] : [{ ...base, planned: 'int8', found: 'float' }];
    if (ownConversions || kernel === undefined) return [];
    if (isInt8(layer, kernel, fp32)) return [{ ...base, planned: 'float', found: 'int8' }];
    const node = kernel.own ? nodes.get(kernel.node) : undefined;
    if (layer.quantize || node === undefined || hasOwnWeights(layer, node, optimized, fp32)) return [];
    return [{ ...base, planned: 'float', found: 'other-weights' }];
  });
}

/** @throws `float-not-kept` where a layer planned float is not */
export function assertFloatKept(found: readonly Deviation[]): void {
  const broken = found.filter(({ planned }) => planned === 'float');
  if (broken.length === 0) return;
  const named = broken.slice(0, 5).map(({ layer, found: what, kernel }) => {
    return what === 'int8' ? `"${layer}" runs in int8 as ${kernel}` : `"${layer}" computes with other weights`;
  });
  const more = broken.length > named.length ? `; and ${broken.length - named.length} more` : '';
  throw new QuantscopeError(
    'float-not-kept',
    `onnxruntime does not keep ${plural(broken.length, 'layer')} in float as planned: ${named.join('; ')}${more}.`,
  );
}

/** Moving values in integers, or leaving out what the quantizer cuts anyway, changes no value. */
function isInt8({ node, op }: PlannedLayer, kernel: Kernel, fp32: Graph): boolean {
  if (kernel.int8 === undefined || kernel.op === op) return false;
  if (kernel.own) return true;
  // Merged into the kernel of a neighbour; the last step of one that always gives floats is float.
  return kernel.int8 !== 'float' && !movesValues(fp32, node) && !onlyCuts(node);
}

/** Whether every constant that a float kernel reads is one of the fp32 model's, or one that a float fusion scaled. */
function hasOwnWeights(layer: PlannedLayer, kernel: NodeProto, optimized: Graph, fp32: Graph): boolean {
  return kernel.input.every((name, index) => {
    if (index === 0 || name === '') return true;
    const maker = optimized.producer(name);
    if (maker !== undefined) return !isConversion(maker) || !optimized.isInitializer(maker.input[0] ?? '');
    const found = optimized.constant(name);
    if (found?.type !== 'float32') return true;
    const known = fp32.constant(name);
    if (known !== undefined) return sameValues(found, known);
    const original = index === 1 && layer.node.opType === 'Conv' ? fp32.constant(layer.node.input[1] ?? '') : undefined;
    return original === undefined || isScaled(found, original);
  });
}

function sameValues(a: Tensor, b: Tensor): boolean {
  const [x, y] = [toFloat32(a), toFloat32(b)];
  return x.length === y.length && x.every((value, i) => Object.is(value, y[i]));
}

/** Of float32 products, relative to the largest of a channel. */
const ROUNDING = 1e-5;

/** A Mul or BatchNormalization merged into a convolution multiplies each output channel by a number (conv_mul_fusion.cc). */
function isScaled(found: Tensor, original: Tensor): boolean {
  const [x, y] = [toFloat32(found), toFloat32(original)];
  const channels = original.dims[0] ?? 0;
  if (x.length !== y.length || channels === 0) return x.length === y.length;
  const size = x.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    const [from, to] = [channel * size, (channel + 1) * size];
    let largest = from;
    for (let i = from; i < to; i++) if (Math.abs(y[i]!) > Math.abs(y[largest]!)) largest = i;
    const factor = y[largest] === 0 ? 0 : x[largest]! / y[largest]!;
    const bound = ROUNDING * Math.abs(x[largest]!);
    for (let i = from; i < to; i++) if (Math.abs(x[i]! - factor * y[i]!) > bound) return false;
  }
  return true;
}
