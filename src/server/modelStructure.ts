/**
 * The nodes of an ONNX file without its weights: fields that hold tensors are passed over in the file,
 * so that a model of gigabytes costs no more than one of kilobytes, and no runtime is needed.
 */

import { open, type FileHandle } from 'node:fs/promises';
import { create, fromBinary } from '@bufbuild/protobuf';
import { subgraphs } from '../core/onnx/attributes';
import { GraphProtoSchema, NodeProtoSchema, type NodeProto } from '../core/onnx/generated/onnx_pb';
import { canonicalDomain } from '../core/onnx/model';
import { nameNodes } from '../core/normalize/names';
import { QuantscopeError, toQuantscopeError } from '../shared/errors';

export interface StructureNode {
  /** As it is called after normalising, which names nodes that have no name of their own. */
  readonly name: string;
  readonly op: string;
  /** A constant, or a batch normalization behind a layer that takes it up: gone before quantizing. */
  readonly folds: boolean;
}

export interface ModelStructure {
  readonly opset: number | undefined;
  /** Nodes of the main graph in the order of the file, without those of type Constant. */
  readonly nodes: readonly StructureNode[];
}

/** Field numbers of onnx.proto. */
const MODEL = { graph: 7, opsetImport: 8 } as const;
const OPSET = { domain: 1, version: 2 } as const;
const GRAPH = { node: 1, initializer: 5 } as const;
const NODE = { input: 1, output: 2, name: 3, opType: 4, domain: 7 } as const;
const TENSOR = { name: 8 } as const;

const WINDOW = 1 << 18;
/** Nodes larger than this hold a constant; only their small fields are read. */
const LARGEST_NODE = 1 << 20;
/** Names are shorter. */
const LARGEST_TEXT = 1 << 16;

/** @throws `file-not-found`, `model-unreadable`, `cancelled` */
export async function readStructure(file: string, signal?: AbortSignal): Promise<ModelStructure> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const { size } = await handle.stat();
    return await new Reader(handle, size, signal).model();
  } catch (error) {
    throw toQuantscopeError(error, 'model-unreadable');
  } finally {
    await handle?.close();
  }
}

interface Field {
  readonly number: number;
  /** The value of a varint; of the other kinds 0. */
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

class Reader {
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #signal: AbortSignal | undefined;
  #window = Buffer.alloc(0);
  #from = 0;

  constructor(handle: FileHandle, size: number, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.#size = size;
    this.#signal = signal;
  }

  async model(): Promise<ModelStructure> {
    const nodes: NodeProto[] = [];
    const constants = new Set<string>();
    let opset: number | undefined;
    let graphs = 0;
    for await (const field of this.#fields(0, this.#size)) {
      if (field.number === MODEL.opsetImport) opset = (await this.#opset(field)) ?? opset;
      if (field.number !== MODEL.graph) continue;
      graphs++;
      for await (const part of this.#fields(field.start, field.end)) {
        if (part.number === GRAPH.node) nodes.push(await this.#node(part));
        if (part.number === GRAPH.initializer) constants.add(await this.#text(part, TENSOR.name));
      }
    }
    if (graphs === 0) throw unreadable('it holds no graph');
    return { opset, nodes: describe(nodes, constants) };
  }

  async #opset(field: Field): Promise<number | undefined> {
    let domain = '';
    let version: number | undefined;
    for await (const part of this.#fields(field.start, field.end)) {
      if (part.number === OPSET.domain) domain = (await this.#bytes(part)).toString();
      if (part.number === OPSET.version) version = part.value;
    }
    return canonicalDomain(domain) === '' ? version : undefined;
  }

  async #node(field: Field): Promise<NodeProto> {
    if (field.end - field.start <= LARGEST_NODE) return fromBinary(NodeProtoSchema, await this.#bytes(field));
    const node = create(NodeProtoSchema);
    for await (const part of this.#fields(field.start, field.end)) {
      if (part.end - part.start > LARGEST_TEXT) continue;
      const text = async (): Promise<string> => (await this.#bytes(part)).toString();
      if (part.number === NODE.input) node.input.push(await text());
      else if (part.number === NODE.output) node.output.push(await text());
      else if (part.number === NODE.name) node.name = await text();
      else if (part.number === NODE.opType) node.opType = await text();
      else if (part.number === NODE.domain) node.domain = await text();
    }
    return node;
  }

  async #text(field: Field, number: number): Promise<string> {
    for await (const part of this.#fields(field.start, field.end)) {
      if (part.number === number && part.end - part.start <= LARGEST_TEXT) return (await this.#bytes(part)).toString();
    }
    return '';
  }

  /** A copy, since the window moves on. */
  async #bytes({ start, end }: Field): Promise<Buffer> {
    await this.#load(start, end - start);
    return Buffer.from(this.#window.subarray(start - this.#from, end - this.#from));
  }

  /** The fields of a message, whose contents are not read. */
  async *#fields(start: number, end: number): AsyncGenerator<Field> {
    for (let at = start; at < end;) {
      // A tag and a length or number: two varints of at most ten bytes.
      await this.#load(at, Math.min(20, this.#size - at));
      const tag = this.#varint(at);
      const number = Math.floor(tag.value / 8);
      const wire = tag.value % 8;
      let value = 0;
      let from = tag.next;
      let to: number;
      if (wire === 0) ({ value, next: to } = this.#varint(tag.next));
      else if (wire === 1) to = tag.next + 8;
      else if (wire === 5) to = tag.next + 4;
      else if (wire === 2) {
        const length = this.#varint(tag.next);
        from = length.next;
        to = length.next + length.value;
      } else throw unreadable('it is no protobuf message');
      if (number === 0 || to > end) throw unreadable('it is cut off, or no protobuf message');
      yield { number, value, start: from, end: to };
      at = to;
    }
  }

  #varint(at: number): { value: number; next: number } {
    let value = 0;
    let factor = 1;
    for (let i = at - this.#from; i < this.#window.length && i < at - this.#from + 10; i++) {
      const byte = this.#window[i]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return { value, next: i + this.#from + 1 };
      factor *= 128;
    }
    throw unreadable('it is cut off, or no protobuf message');
  }

  async #load(at: number, length: number): Promise<void> {
    if (at >= this.#from && at + length <= this.#from + this.#window.length) return;
    this.#signal?.throwIfAborted();
    const buffer = Buffer.alloc(Math.min(Math.max(WINDOW, length), this.#size - at));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
    if (bytesRead < length) throw unreadable('it ended while it was read');
    this.#window = buffer.subarray(0, bytesRead);
    this.#from = at;
  }
}

function unreadable(why: string): QuantscopeError {
  return new QuantscopeError('model-unreadable', `This is not an ONNX model: ${why}.`);
}

/** Operators whose output differs from run to run, whatever they read. */
const RANDOM = /^(?:Random|Bernoulli|Multinomial)/;
/** Layers that take up the batch normalization behind them. */
const TAKES_BATCHNORM: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

function describe(nodes: readonly NodeProto[], initializers: ReadonlySet<string>): StructureNode[] {
  nameNodes(create(GraphProtoSchema, { node: [...nodes] }));
  const constants = new Set(initializers);
  const producers = new Map<string, NodeProto>();
  const described: StructureNode[] = [];
  for (const node of nodes) {
    const inputs = node.input.filter((name) => name !== '');
    const plain = canonicalDomain(node.domain) === '';
    const constant =
      plain &&
      !RANDOM.test(node.opType) &&
      subgraphs(node).length === 0 &&
      (inputs.length > 0 || node.opType === 'Constant') &&
      inputs.every((name) => constants.has(name));
    for (const output of node.output) {
      producers.set(output, node);
      if (constant) constants.add(output);
    }
    if (plain && node.opType === 'Constant') continue;
    const before = producers.get(node.input[0] ?? '');
    const batchnorm =
      node.opType === 'BatchNormalization' && before !== undefined && TAKES_BATCHNORM.has(before.opType);
    described.push({ name: node.name, op: node.opType, folds: constant || batchnorm });
  }
  return described;
}
