/**
 * The model behind the local error: of every quantized layer a copy of its int8 form, fed the fp32
 * tensors of the original. All copies stand side by side in one graph, so one run measures all layers.
 */

import { create } from '@bufbuild/protobuf';
import type { Conversion, QuantizedActivation } from '../convert/types';
import { GraphProtoSchema, type NodeProto, type TensorProto } from '../onnx/generated/onnx_pb';
import { outerReferences } from '../onnx/check';
import type { Graph } from '../onnx/graph';
import { cloneNode, makeNode, shallow, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { isStatic, type PlannedLayer } from '../plan/types';
import { nameOnly, valueInfo } from '../runtime/inspect';
import type { TensorInfo } from '../runtime/session';
import { allocate, makeTensor } from '../tensor';
import { isFloat, type Tap } from './taps';

export interface Shadow {
  readonly model: OnnxModel;
  /** Tensors of the fp32 model that the shadow is fed. */
  readonly inputs: readonly string[];
  /** What to compare, by layer; `int8` names the shadow's output. Layers that cannot stand alone are missing. */
  readonly taps: ReadonlyMap<string, readonly Tap[]>;
}

/** What copies of a layer consist of. */
interface Parts {
  readonly nodes: NodeProto[];
  readonly initializers: Map<string, TensorProto>;
  readonly inputs: Set<string>;
}

interface Source {
  readonly graph: Graph;
  readonly conversion: Conversion;
  /** Type and shape of the fp32 model's inputs and node outputs. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Activations by the names of their integer and dequantized tensors. */
  readonly activations: ReadonlyMap<string, QuantizedActivation>;
}

/**
 * @param graph the int8 model's
 * @param tensors type and shape of the fp32 model's inputs and node outputs
 * @param layers the quantized layers wanted
 * @returns `null` where no layer can stand alone
 */
export function buildShadow(
  graph: Graph,
  conversion: Conversion,
  tensors: ReadonlyMap<string, TensorInfo>,
  layers: readonly PlannedLayer[],
): Shadow | null {
  const activations = new Map(
    [...conversion.activations.values()].flatMap((a) => [[a.integer, a] as const, [a.dequantized, a] as const]),
  );
  const source: Source = { graph, conversion, tensors, activations };
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const inputs = new Set<string>();
  const taps = new Map<string, Tap[]>();
  for (const [index, layer] of layers.entries()) {
    const copied = copyLayer(source, layer, `shadow:${index}:`);
    if (copied === undefined) continue;
    nodes.push(...copied.nodes);
    for (const [name, tensor] of copied.initializers) initializers.set(name, tensor);
    for (const name of copied.inputs) inputs.add(name);
    taps.set(layer.name, copied.taps);
  }
  if (taps.size === 0) return null;
  const proto = create(GraphProtoSchema, {
    name: 'shadow',
    node: withoutRepeats(nodes),
    initializer: [...initializers.values()],
    input: [...inputs].map((name) => {
      const { type, shape } = tensors.get(name)!;
      // The runtime describes a tensor of unknown rank like a scalar.
      return valueInfo(name, type, shape.length === 0 ? undefined : shape);
    }),
    output: [...new Set([...taps.values()].flatMap((list) => list.map((tap) => tap.int8)))].map(nameOnly),
  });
  const model = { ...conversion.model, proto: shallow(conversion.model.proto, { graph: proto }) };
  return { model, inputs: [...inputs], taps };
}

/** Layers with a common input bring the same quantizer each. */
function withoutRepeats(nodes: readonly NodeProto[]): NodeProto[] {
  return [...new Map(nodes.map((node) => [node.output.find((name) => name !== ''), node])).values()];
}

/** @returns `undefined` where something the layer reads is out of reach, such as a subgraph's tensors */
function copyLayer(source: Source, layer: PlannedLayer, prefix: string): (Parts & { taps: Tap[] }) | undefined {
  const own = new Set([...layer.outputs, ...[layer.node, ...layer.fused].flatMap((node) => node.output)]);
  const parts: Parts = { nodes: [], initializers: new Map(), inputs: new Set() };
  const names = new Map<string, string | undefined>([['', '']]);

  const resolve = (name: string): string | undefined => {
    if (!names.has(name)) names.set(name, find(name));
    return names.get(name);
  };
  const find = (name: string): string | undefined => {
    const activation = source.activations.get(name);
    if (activation !== undefined && layer.inputs.includes(activation.tensor)) {
      const integer = quantizerOf(source, activation, parts);
      return name === activation.integer ? integer : dequantizerOf(source, activation, integer, parts, prefix);
    }
    if (source.tensors.has(name) && !own.has(name)) {
      parts.inputs.add(name);
      return name;
    }
    const constant = source.graph.initializer(name);
    if (constant !== undefined) {
      parts.initializers.set(name, constant);
      return name;
    }
    const node = source.graph.producer(name);
    return node === undefined ? undefined : copyNode(node, name);
  };
  const copyNode = (node: NodeProto, wanted: string): string | undefined => {
    const inputs = node.input.map(resolve);
    if (inputs.includes(undefined) || outerReferences(node).length > 0) return undefined;
    const copy = cloneNode(node);
    copy.name = prefix + node.name;
    copy.input = inputs.map((name) => name ?? '');
    copy.output = node.output.map((name) => (name === '' ? '' : prefix + name));
    for (const name of node.output) names.set(name, prefix + name);
    parts.nodes.push(copy);
    return prefix + wanted;
  };

  const taps: Tap[] = [];
  const moves = movesIntegers(source, layer);
  for (const tensor of layer.outputs) {
    if (!isFloat(source.tensors.get(tensor))) continue;
    const activation = isStatic(layer) ? source.conversion.activations.get(tensor) : undefined;
    const int8 =
      moves && activation !== undefined
        ? quantizerOf(source, activation, parts)
        : resolve(activation?.integer ?? tensor);
    if (int8 === undefined) return undefined;
    if (activation === undefined) taps.push({ tensor, int8 });
    else {
      const { type, scale, zeroPoint } = activation;
      taps.push({ tensor, int8, quantization: { type, scale, zeroPoint } });
    }
  }
  return taps.length === 0 ? undefined : { ...parts, taps };
}

/**
 * Whether the layer moves integers as it moves floats. Rounding keeps the order of values, so that quantizing after the
 * move makes the same integers as before it; and the runtime's MaxPool, alone between others, is slow on bytes.
 */
function movesIntegers({ conversion }: Source, { kind, inputs, outputs }: PlannedLayer): boolean {
  const [first, ...others] = [...inputs, ...outputs].map((name) => conversion.activations.get(name));
  const same = (a: QuantizedActivation | undefined): boolean =>
    a?.type === first?.type && a?.scale === first?.scale && a?.zeroPoint === first?.zeroPoint;
  return kind === 'move' && first !== undefined && others.every(same);
}

/** The integers of an fp32 tensor, under one name for all layers; made anew, for QOperator models have no such node. */
function quantizerOf(source: Source, activation: QuantizedActivation, parts: Parts): string {
  const { tensor, type, scale, zeroPoint } = activation;
  const base = `shadow:q:${tensor}`;
  const zero = allocate(type, 1);
  zero[0] = zeroPoint;
  parts.initializers.set(
    `${base}:scale`,
    makeTensorProto(`${base}:scale`, makeTensor('float32', [], new Float32Array([scale]))),
  );
  parts.initializers.set(`${base}:zero`, makeTensorProto(`${base}:zero`, makeTensor(type, [], zero)));
  parts.inputs.add(tensor);
  parts.nodes.push(
    makeNode({
      op: 'QuantizeLinear',
      name: base,
      domain: domainOf(source.graph.producer(activation.integer), 'QuantizeLinear'),
      inputs: [tensor, `${base}:scale`, `${base}:zero`],
      outputs: [base],
    }),
  );
  return base;
}

/** Each layer has a DequantizeLinear of its own, as the runtime needs it to see the layer as one int8 kernel. */
function dequantizerOf(
  source: Source,
  activation: QuantizedActivation,
  integer: string,
  parts: Parts,
  prefix: string,
): string {
  const name = `${prefix}dq:${activation.tensor}`;
  parts.nodes.push(
    makeNode({
      op: 'DequantizeLinear',
      name,
      domain: domainOf(source.graph.producer(activation.dequantized), 'DequantizeLinear'),
      inputs: [integer, `${integer}:scale`, `${integer}:zero`],
      outputs: [name],
    }),
  );
  return name;
}

/** Below opset 21 the 16-bit conversions are in the runtime's own domain. */
function domainOf(node: NodeProto | undefined, op: string): string {
  return node?.opType === op ? node.domain : '';
}
