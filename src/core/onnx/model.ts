/**
 * A model file in memory: the protobuf message and where it came from. The user's file is only ever
 * read; every change is made on a copy from `cloneModel`.
 */

import { readFile, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import {
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from './generated/onnx_pb';
import { makeAttributes, type AttributeValue } from './attributes';
import { checkModel } from './check';

export interface OnnxModel {
  readonly proto: ModelProto;
  /** Folder against which external data is resolved; absent for models that never were a file. */
  readonly folder?: string;
}

/** Protobuf messages end at 2 GiB (https://protobuf.dev/programming-guides/proto-limits/). */
export const PROTOBUF_LIMIT = 2 ** 31 - 1;

/** Decodes and checks a model. Throws `model-unreadable`, `model-invalid`, `opset-missing`. */
export function parseModel(bytes: Uint8Array, folder?: string): OnnxModel {
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new QuantscopeError('model-unreadable', `This is not an ONNX model: ${messageOf(error)}.`, { cause: error });
  }
  checkModel(proto);
  return folder === undefined ? { proto } : { proto, folder };
}

/** Reads a model file. Besides the errors of {@link parseModel}: `file-not-found`, `model-too-large`. */
export async function readModel(file: string): Promise<OnnxModel> {
  let bytes: Uint8Array;
  try {
    const info = await stat(file);
    if (!info.isFile()) throw new QuantscopeError('file-not-found', `${file} is not a file.`);
    if (info.size > PROTOBUF_LIMIT) {
      throw new QuantscopeError('model-too-large', `${file} is ${info.size} bytes; an ONNX file ends at 2 GiB.`);
    }
    bytes = await readFile(file);
  } catch (error) {
    throw toQuantscopeError(error, 'model-unreadable');
  }
  return parseModel(bytes, path.dirname(path.resolve(file)));
}

/** Encodes a model; unknown fields come out as they went in. Throws `model-too-large`. */
export function serializeModel(model: OnnxModel): Uint8Array {
  try {
    const bytes = toBinary(ModelProtoSchema, model.proto);
    if (bytes.length <= PROTOBUF_LIMIT) return bytes;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new QuantscopeError('model-too-large', 'The model is larger than the 2 GiB a protobuf message can hold.');
}

export function graphOf(model: OnnxModel): GraphProto {
  const { graph } = model.proto;
  if (graph === undefined) throw new QuantscopeError('model-invalid', 'The model has no graph.');
  return graph;
}

/**
 * A copy whose lists may be edited freely. Tensor payloads are shared, for they are most of a
 * model's bytes and never edited in place.
 */
export function cloneModel(model: OnnxModel): OnnxModel {
  const { proto } = model;
  const graph = graphOf(model);
  const clone = shallow(proto, {
    graph: cloneGraph(graph),
    opsetImport: proto.opsetImport.map((o) => shallow(o)),
    metadataProps: [...proto.metadataProps],
    functions: [...proto.functions],
  });
  return model.folder === undefined ? { proto: clone } : { proto: clone, folder: model.folder };
}

export function cloneGraph(graph: GraphProto): GraphProto {
  return shallow(graph, {
    node: graph.node.map(cloneNode),
    initializer: graph.initializer.map((t) => shallow(t)),
    input: graph.input.map((v) => shallow(v)),
    output: graph.output.map((v) => shallow(v)),
    valueInfo: [...graph.valueInfo],
  });
}

export function cloneNode(node: NodeProto): NodeProto {
  return shallow(node, {
    input: [...node.input],
    output: [...node.output],
    attribute: node.attribute.map(cloneAttribute),
  });
}

export function cloneAttribute(attribute: AttributeProto): AttributeProto {
  if (attribute.g === undefined && attribute.graphs.length === 0) return attribute;
  const graphs = attribute.graphs.map(cloneGraph);
  return shallow(attribute, attribute.g === undefined ? { graphs } : { graphs, g: cloneGraph(attribute.g) });
}

/** Same prototype, same own fields (unknown ones included), some replaced. */
export function shallow<T extends object>(message: T, changes: Partial<T> = {}): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message) as object | null) as T, message, changes);
}

/** Version of an operator set the model imports; `undefined` where it does not. `''` and `ai.onnx` are one domain. */
export function opsetVersion(model: OnnxModel, domain = ''): number | undefined {
  const wanted = canonicalDomain(domain);
  const found = model.proto.opsetImport.find((entry) => canonicalDomain(entry.domain) === wanted);
  return found === undefined ? undefined : Number(found.version);
}

export function setOpsetVersion(model: OnnxModel, domain: string, version: number): void {
  const wanted = canonicalDomain(domain);
  const found = model.proto.opsetImport.find((entry) => canonicalDomain(entry.domain) === wanted);
  if (found === undefined) {
    model.proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }));
  } else {
    found.version = BigInt(version);
  }
}

export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

export interface NodeSpec {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export function makeNode(spec: NodeSpec): NodeProto {
  return create(NodeProtoSchema, {
    opType: spec.op,
    name: spec.name,
    domain: spec.domain ?? '',
    input: [...spec.inputs],
    output: [...spec.outputs],
    attribute: makeAttributes(spec.attributes ?? {}),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
