/** Between ONNX's `TensorProto` and our {@link Tensor}: every storage an exporter may choose, external data included. */

import { create } from '@bufbuild/protobuf';
import { QuantscopeError } from '../../shared/errors';
import { allocate, bytesPerElement, elementCount, type ElementType, type Tensor, type TensorStorage } from '../tensor';
import { readExternalData } from './externalData';
import {
  TensorProto_DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type TensorProto,
} from './generated/onnx_pb';

const TYPES: Readonly<Record<number, ElementType>> = {
  [DataType.FLOAT]: 'float32',
  [DataType.DOUBLE]: 'float64',
  [DataType.FLOAT16]: 'float16',
  [DataType.BFLOAT16]: 'bfloat16',
  [DataType.INT8]: 'int8',
  [DataType.UINT8]: 'uint8',
  [DataType.INT16]: 'int16',
  [DataType.UINT16]: 'uint16',
  [DataType.INT32]: 'int32',
  [DataType.UINT32]: 'uint32',
  [DataType.INT64]: 'int64',
  [DataType.UINT64]: 'uint64',
  [DataType.BOOL]: 'bool',
};

const CODES = Object.fromEntries(Object.entries(TYPES).map(([code, type]) => [type, Number(code)])) as Record<
  ElementType,
  DataType
>;

/** Our element type for ONNX's number; `undefined` for strings, complex and 4- or 8-bit float types. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  return TYPES[dataType];
}

export function dataTypeOf(type: ElementType): DataType {
  return CODES[type];
}

export function dimsOf(proto: TensorProto): number[] {
  return proto.dims.map(Number);
}

/**
 * The values of an initializer, row-major.
 * @param folder where external data lies; without it such tensors throw `external-data-missing`.
 * @throws `model-invalid` for sizes that disagree with the shape, `external-data-*` for its files.
 */
export function readTensor(proto: TensorProto, folder?: string): Tensor {
  const type = elementTypeOf(proto.dataType);
  if (type === undefined) {
    throw new QuantscopeError(
      'model-invalid',
      `Tensor "${proto.name}" has the element type ${proto.dataType}, which holds no plain numbers.`,
    );
  }
  const dims = dimsOf(proto);
  const count = elementCount(dims);
  const bytes =
    proto.dataLocation === TensorProto_DataLocation.EXTERNAL
      ? readExternalData(proto, count * bytesPerElement(type), folder)
      : proto.rawData;
  if (bytes.length > 0 || count === 0) return { type, dims, data: viewBytes(type, bytes, count, proto.name) };
  return { type, dims, data: readFields(proto, type, count) };
}

function viewBytes(type: ElementType, bytes: Uint8Array, count: number, name: string): TensorStorage[ElementType] {
  if (bytes.length !== count * bytesPerElement(type))
    throw wrongSize(name, count, bytes.length / bytesPerElement(type));
  const data = allocate(type, count);
  // raw_data is little endian and rarely aligned, so it is copied rather than viewed.
  new Uint8Array(data.buffer).set(bytes);
  return data;
}

function readFields(proto: TensorProto, type: ElementType, count: number): TensorStorage[ElementType] {
  const fields = fieldsOf(proto, type);
  if (fields.length !== count) throw wrongSize(proto.name, count, fields.length);
  const data = allocate(type, count);
  for (let i = 0; i < count; i++) data[i] = fields[i]!;
  return data;
}

/** The typed list that holds a type's values when raw_data does not (onnx.proto, TensorProto). */
function fieldsOf(proto: TensorProto, type: ElementType): ArrayLike<number> | ArrayLike<bigint> {
  switch (type) {
    case 'float32':
      return proto.floatData;
    case 'float64':
      return proto.doubleData;
    case 'int64':
      return proto.int64Data;
    case 'uint32':
      return proto.uint64Data.map(Number);
    case 'uint64':
      return proto.uint64Data;
    case 'float16':
    case 'bfloat16':
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'bool':
      return proto.int32Data;
  }
}

function wrongSize(name: string, expected: number, actual: number): QuantscopeError {
  return new QuantscopeError(
    'model-invalid',
    `Tensor "${name}" holds ${actual} values where its shape needs ${expected}.`,
  );
}

/** A tensor as an initializer. The bytes are shared with `tensor.data`. */
export function makeTensorProto(name: string, tensor: Tensor): TensorProto {
  const { data } = tensor;
  return create(TensorProtoSchema, {
    name,
    dataType: dataTypeOf(tensor.type),
    dims: tensor.dims.map((d) => BigInt(d)),
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
}
