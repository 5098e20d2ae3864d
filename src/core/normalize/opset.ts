/**
 * Raising the opset of a model, one version after the other, over the main graph and all subgraphs.
 * The result computes the same numbers; what cannot be written exactly is refused by name.
 */

import { QuantscopeError } from '../../shared/errors';
import { attribute, subgraphs } from '../onnx/attributes';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/generated/onnx_pb';
import { canonicalDomain, graphOf, opsetVersion, setOpsetVersion, shallow, type OnnxModel } from '../onnx/model';
import { makeTensorProto, readTensor } from '../onnx/tensorProto';
import type { TensorInfo } from '../runtime/session';
import type { Tensor } from '../tensor';
import { freshName, tensorNames, usedTensors, walkGraphs } from './edit';
import type { Shape } from './shapes';
import { ADAPTERS, type Adaptation, type VersionStep } from './opsetAdapters';
import { ADAPTERS_BEFORE_7 } from './opsetAdaptersBefore7';
import { EXPERIMENTAL } from './opsetExperimental';

/** The operator sets that the adapters know. */
export const OLDEST_OPSET = 1;
export const NEWEST_OPSET = 21;

/** The least IR version that may import an opset (onnx/docs/Versioning.md). */
const IR_VERSIONS: readonly (readonly [opset: number, ir: number])[] = [
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  [9, 4],
];

export function irVersionFor(opset: number): number {
  return IR_VERSIONS.find(([least]) => opset >= least)?.[1] ?? 3;
}

/**
 * Raises the default domain of the model (edited) to `target`.
 * @param infos what is known of the main graph's tensors, before the change
 * @returns the names of the nodes that were rewritten
 * @throws `opset-conversion` naming operator and node; the model is then half converted
 */
export function raiseOpset(model: OnnxModel, target: number, infos: ReadonlyMap<string, TensorInfo>): string[] {
  const from = opsetVersion(model);
  if (from !== undefined && target < from) {
    throw new QuantscopeError(
      'opset-conversion',
      `The model is at opset ${from}, which cannot be lowered to ${target}.`,
    );
  }
  if (target > NEWEST_OPSET || (from !== undefined && from < OLDEST_OPSET)) {
    throw new QuantscopeError(
      'opset-conversion',
      `Opset ${from ?? 'none'} cannot be raised to ${target}: conversion goes from ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
    );
  }
  const changed = new Set<string>();
  const converter = new Converter(model, infos, changed);
  for (let version = (from ?? target) + 1; version <= target; version++) converter.step(version);
  raiseFunctions(model, target);
  setOpsetVersion(model, '', target);
  return [...changed];
}

const TABLES = [ADAPTERS_BEFORE_7, EXPERIMENTAL, ADAPTERS] as const;

/** A step of one node's operator at exactly this version. */
function adapterAt(node: NodeProto, version: number): VersionStep | undefined {
  if (canonicalDomain(node.domain) !== '') return undefined;
  const steps = TABLES.flatMap((table) => (Object.hasOwn(table, node.opType) ? (table[node.opType] ?? []) : []));
  return steps.find((step) => step.to === version);
}

class Converter {
  readonly #model: OnnxModel;
  readonly #infos: ReadonlyMap<string, TensorInfo>;
  readonly #changed: Set<string>;
  readonly #tensors: Set<string>;
  readonly #nodes: Set<string>;
  /** What the file says of tensors, for models whose operators the runtime has no longer. */
  readonly #declared: ReadonlyMap<string, Shape>;

  constructor(model: OnnxModel, infos: ReadonlyMap<string, TensorInfo>, changed: Set<string>) {
    this.#model = model;
    this.#infos = infos;
    this.#changed = changed;
    const graph = graphOf(model);
    this.#tensors = tensorNames(graph);
    this.#declared = declaredShapes(graph);
    this.#nodes = new Set([...walkGraphs(graph)].flatMap((g) => g.node.map((node) => node.name)));
  }

  step(version: number): void {
    this.#convert(graphOf(this.#model), [], version);
  }

  #convert(graph: GraphProto, outer: readonly GraphProto[], version: number): void {
    const scope = [graph, ...outer];
    graph.node = graph.node.flatMap((node) => {
      for (const body of subgraphs(node)) this.#convert(body, scope, version);
      const step = adapterAt(node, version);
      if (step === undefined) return [node];
      const attributes = [...node.attribute];
      const [op, inputs, outputs] = [node.opType, node.input.join('\n'), node.output.length];
      let replaced: readonly NodeProto[] | undefined;
      step.adapt(node, {
        ...this.#adaptation(scope, node, version),
        replaceBy: (nodes) => {
          replaced = nodes;
        },
      });
      const same =
        node.attribute.length === attributes.length &&
        node.attribute.every((a, i) => a === attributes[i]) &&
        node.opType === op &&
        node.input.join('\n') === inputs &&
        node.output.length === outputs;
      if (replaced !== undefined || !same) this.#changed.add(node.name);
      return replaced ?? [node];
    });
  }

  #adaptation(scope: readonly GraphProto[], node: NodeProto, version: number): Omit<Adaptation, 'replaceBy'> {
    const [graph] = scope;
    const [op, name] = [node.opType, node.name];
    // Shapes are known for the main graph; inner names may hide outer ones.
    const info = (tensor: string): TensorInfo | undefined => (scope.length === 1 ? this.#infos.get(tensor) : undefined);
    return {
      constant: (tensor) => this.#constant(scope, tensor),
      shape: (tensor) => info(tensor)?.shape ?? (scope.length === 1 ? this.#declared.get(tensor) : undefined),
      type: (tensor) => info(tensor)?.type,
      isUsed: (tensor) => graph !== undefined && usedTensors(graph).has(tensor),
      initializer: (base, tensor) => {
        const fresh = freshName(this.#tensors, base);
        graph?.initializer.push(makeTensorProto(fresh, tensor));
        return fresh;
      },
      freshTensor: (base) => freshName(this.#tensors, base),
      freshNode: (base) => freshName(this.#nodes, base),
      refuse: (why) => {
        throw new QuantscopeError('opset-conversion', `${op} "${name}" cannot be raised to opset ${version}: ${why}.`);
      },
    };
  }

  #constant(scope: readonly GraphProto[], tensor: string): Tensor | undefined {
    for (const graph of scope) {
      const found = graph.initializer.find((t) => t.name === tensor) ?? constantNode(graph, tensor);
      if (found !== undefined) return readTensor(found, this.#model.folder);
      if (graph.node.some((node) => node.output.includes(tensor)) || graph.input.some((v) => v.name === tensor)) {
        return undefined;
      }
    }
    return undefined;
  }
}

function declaredShapes({ input, output, valueInfo }: GraphProto): ReadonlyMap<string, Shape> {
  return new Map(
    [...input, ...output, ...valueInfo].flatMap(({ name, type }) => {
      const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
      if (shape === undefined) return [];
      const sizes = shape.dim.map(({ value }) =>
        value.case === 'dimValue' ? Number(value.value) : (value.value ?? ''),
      );
      return [[name, sizes] as const];
    }),
  );
}

function constantNode(graph: GraphProto, tensor: string): TensorProto | undefined {
  const node = graph.node.find((n) => n.opType === 'Constant' && n.output[0] === tensor);
  return node === undefined ? undefined : attribute(node, 'value')?.t;
}

/**
 * Functions of the model import their own opset, which must agree with the model's. Their bodies
 * hold attributes that are only known where the function is called, so nothing in them is rewritten.
 */
function raiseFunctions(model: OnnxModel, target: number): void {
  const { proto } = model;
  proto.functions = proto.functions.map((fn) => {
    const entry = fn.opsetImport.find((o) => canonicalDomain(o.domain) === '');
    if (entry === undefined || Number(entry.version) >= target) return fn;
    const nodes = fn.node.flatMap(function inside(node: NodeProto): NodeProto[] {
      return [node, ...subgraphs(node).flatMap((g) => g.node.flatMap(inside))];
    });
    for (const node of nodes) {
      for (let version = Number(entry.version) + 1; version <= target; version++) {
        if (adapterAt(node, version) === undefined) continue;
        const where = `function "${fn.name}"`;
        const why = `${node.opType} "${node.name}" in the ${where} cannot be raised to opset ${version}`;
        throw new QuantscopeError('opset-conversion', `${why}: functions are not rewritten.`);
      }
    }
    const opsetImport = fn.opsetImport.map((o) => (o === entry ? shallow(o, { version: BigInt(target) }) : o));
    return shallow(fn, { opsetImport });
  });
}
