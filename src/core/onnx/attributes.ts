/** Reading and making node attributes. Defaults are the caller's: they belong to the operator, not to the codec. */

import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from './generated/onnx_pb';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function attribute(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((candidate) => candidate.name === name);
}

export function intAttribute(node: NodeProto, name: string, fallback: number): number {
  const found = attribute(node, name);
  return found === undefined ? fallback : Number(found.i);
}

export function floatAttribute(node: NodeProto, name: string, fallback: number): number {
  return attribute(node, name)?.f ?? fallback;
}

export function stringAttribute(node: NodeProto, name: string, fallback: string): string {
  const found = attribute(node, name);
  return found === undefined ? fallback : decoder.decode(found.s);
}

export function intsAttribute(node: NodeProto, name: string): number[] | undefined {
  return attribute(node, name)?.ints.map(Number);
}

export function tensorAttribute(node: NodeProto, name: string): TensorProto | undefined {
  return attribute(node, name)?.t;
}

/** The subgraphs of `If`, `Loop`, `Scan` and custom control flow. */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((a) => (a.g === undefined ? a.graphs : [a.g, ...a.graphs]));
}

/** A value as an attribute: integers become INT, other numbers FLOAT (use `{ f }` for a float that is whole). */
export type AttributeValue = number | { readonly f: number } | string | readonly number[] | { readonly t: TensorProto };

export function makeAttribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: encoder.encode(value) });
  }
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) })
      : create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value });
  }
  if ('f' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.f });
  if ('t' in value) return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: value.t });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map((i) => BigInt(i)) });
}

export function makeAttributes(values: Readonly<Record<string, AttributeValue>>): AttributeProto[] {
  return Object.entries(values).map(([name, value]) => makeAttribute(name, value));
}
