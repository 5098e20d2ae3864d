/** The two variants of a layer: it alone quantized in the fp32 model, it alone kept float in the int8 model. */

import { buildShadow } from '../analyze/shadow';
import { barrier, BARRIER_FLOOR } from '../convert/barrier';
import { Exposure } from '../convert/exposure';
import type { Conversion } from '../convert/types';
import type { NodeProto, TensorProto } from '../onnx/generated/onnx_pb';
import type { Graph } from '../onnx/graph';
import { cloneNode, makeNode, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { isStatic, type Plan, type PlannedLayer } from '../plan/types';
import type { TensorInfo } from '../runtime/session';
import { allocate, makeTensor } from '../tensor';
import type { Additions, Replacement, Variant } from './variants';

/** Both sides of a conversion, in QDQ form. */
export interface Pair {
  readonly plan: Plan;
  readonly fp32Model: OnnxModel;
  readonly int8Model: OnnxModel;
  readonly conversion: Conversion;
  readonly fp32: Graph;
  readonly int8: Graph;
  /** Type and shape of the fp32 model's inputs and node outputs. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

export interface LayerVariants {
  readonly additions: Additions;
  /** By name of the layer; layers that cannot stand alone are missing. */
  readonly variants: ReadonlyMap<string, Variant>;
}

/** For the fp32 model: beside each layer its int8 copy, whose dequantized output goes on through fp32 layers. */
export function onlyQuantized({ int8, conversion, tensors }: Pair, layers: readonly PlannedLayer[]): LayerVariants {
  const shadow = buildShadow(int8, conversion, tensors, layers);
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const variants = new Map<string, Variant>();
  if (shadow === null) return { additions: { nodes, initializers }, variants };
  const { proto } = shadow.model;
  nodes.push(...(proto.graph?.node ?? []));
  for (const tensor of proto.graph?.initializer ?? []) initializers.set(tensor.name, tensor);
  for (const [layer, taps] of shadow.taps) {
    const replaced = new Map<string, Replacement>();
    for (const { tensor, int8: made, quantization } of taps) {
      if (quantization === undefined) {
        replaced.set(tensor, made);
        continue;
      }
      const { type, scale, zeroPoint } = quantization;
      const base = `${made}:float`;
      const zero = allocate(type, 1);
      zero[0] = zeroPoint;
      const scaleTensor = makeTensor('float32', [], Float32Array.of(scale));
      initializers.set(`${base}:scale`, makeTensorProto(`${base}:scale`, scaleTensor));
      initializers.set(`${base}:zero`, makeTensorProto(`${base}:zero`, makeTensor(type, [], zero)));
      const inputs = [made, `${base}:scale`, `${base}:zero`];
      const domain = int8.nodes.find(({ opType }) => opType === 'DequantizeLinear')?.domain ?? '';
      nodes.push(makeNode({ op: 'DequantizeLinear', name: base, domain, inputs, outputs: [base] }));
      replaced.set(tensor, barred(base, `${base}:barred`, nodes, initializers));
    }
    variants.set(layer, { replaced });
  }
  return { additions: { nodes, initializers }, variants };
}

/**
 * For the int8 model: each layer's own fp32 nodes, fed what the int8 layers before it make. Int8 readers
 * see the result through their quantizer, float readers as it is: just as in a model whose recipe
 * excludes the layer.
 */
export function onlyFloat({ plan, fp32, int8, conversion }: Pair, layers: readonly PlannedLayer[]): LayerVariants {
  const int8Nodes = new Set(
    plan.layers.flatMap((l) => (isStatic(l) ? [l.node, ...l.fused].map(({ name }) => name) : [])),
  );
  const exposure = new Exposure(plan, fp32);
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const variants = new Map<string, Variant>();
  for (const [index, layer] of layers.entries()) {
    const prefix = `float:${index}:`;
    const own = [layer.node, ...layer.fused];
    const made = new Set(own.flatMap(({ output }) => output));
    const exposed = exposure.barredInput(layer);
    const kept = exposed === undefined ? undefined : barred(exposed, `${prefix}barred:${exposed}`, nodes, initializers);
    const nameOf = (name: string): string =>
      made.has(name) ? prefix + name : name === exposed ? (kept ?? name) : name;
    for (const node of own) {
      const copy = cloneNode(node);
      copy.name = prefix + node.name;
      copy.input = node.input.map(nameOf);
      copy.output = node.output.map((name) => (name === '' ? '' : prefix + name));
      for (const name of node.input) {
        const constant = fp32.initializer(name);
        if (constant !== undefined) initializers.set(name, constant);
      }
      nodes.push(copy);
    }
    const replaced = new Map<string, Replacement>();
    for (const tensor of layer.outputs) {
      const activation = conversion.activations.get(tensor);
      const plain = prefix + tensor;
      const quantizer = activation === undefined ? undefined : int8.producer(activation.integer);
      const dequantizer = activation === undefined ? undefined : int8.producer(activation.dequantized);
      if (quantizer === undefined || dequantizer === undefined) {
        replaced.set(tensor, plain);
        continue;
      }
      const [integer, again] = [`${plain}:integer`, `${plain}:again`];
      const [quantize, dequantize] = [cloneNode(quantizer), cloneNode(dequantizer)];
      Object.assign(quantize, { name: integer, input: [plain, ...quantizer.input.slice(1)], output: [integer] });
      Object.assign(dequantize, { name: again, input: [integer, ...dequantizer.input.slice(1)], output: [again] });
      nodes.push(quantize, dequantize);
      replaced.set(tensor, (reader) => (reader !== null && int8Nodes.has(reader.name) ? again : plain));
    }
    variants.set(layer.name, { replaced });
  }
  return { additions: { nodes, initializers }, variants };
}

/** A tensor behind a barrier, as convert writes it, so that the float layers that read it are float in the runtime too. */
function barred(tensor: string, output: string, nodes: NodeProto[], initializers: Map<string, TensorProto>): string {
  const floor = `${output}:floor`;
  initializers.set(floor, makeTensorProto(floor, BARRIER_FLOOR));
  nodes.push(makeNode(barrier(tensor, floor, output)));
  return output;
}
