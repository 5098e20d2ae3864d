import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { allocate, bytesPerElement, elementCount, isElementType, makeTensor, type ElementType } from '../tensor';
import { TensorProto_DataType as DataType, TensorProtoSchema } from './generated/onnx_pb';
import { dataTypeOf, elementTypeOf, makeTensorProto, readTensor } from './tensorProto';

const TYPES = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
] as const satisfies readonly ElementType[];

test('any tensor survives the way through an initializer', () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.constantFrom(...TYPES),
      shapes,
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      (type, dims, bytes) => {
        const data = allocate(type, elementCount(dims));
        const raw = new Uint8Array(data.buffer);
        for (let i = 0; i < raw.length; i++) raw[i] = bytes.next().value as number;
        const proto = makeTensorProto('t', makeTensor(type, dims, data));
        // raw_data of a parsed file begins anywhere.
        const shifted = new Uint8Array(raw.length + 1);
        shifted.set(raw, 1);
        proto.rawData = shifted.subarray(1);
        const read = readTensor(proto);
        assert.equal(read.type, type);
        assert.deepEqual(read.dims, dims);
        assert.deepEqual(new Uint8Array(read.data.buffer), raw);
      },
    ),
    { numRuns: 200 },
  );
});

describe('every storage an exporter may choose', () => {
  const cases: readonly (readonly [
    MessageInitShape<typeof TensorProtoSchema>,
    ElementType,
    readonly (number | bigint)[],
  ])[] = [
    [{ dataType: DataType.FLOAT, floatData: [1.5, -2] }, 'float32', [1.5, -2]],
    [{ dataType: DataType.DOUBLE, doubleData: [1.5, -2] }, 'float64', [1.5, -2]],
    [{ dataType: DataType.FLOAT16, int32Data: [0x3c00, 0xc000] }, 'float16', [0x3c00, 0xc000]],
    [{ dataType: DataType.BFLOAT16, int32Data: [0x3f80, 0] }, 'bfloat16', [0x3f80, 0]],
    [{ dataType: DataType.INT8, int32Data: [-128, 127] }, 'int8', [-128, 127]],
    [{ dataType: DataType.UINT8, int32Data: [0, 255] }, 'uint8', [0, 255]],
    [{ dataType: DataType.INT16, int32Data: [-32768, 1] }, 'int16', [-32768, 1]],
    [{ dataType: DataType.UINT16, int32Data: [65535, 1] }, 'uint16', [65535, 1]],
    [{ dataType: DataType.INT32, int32Data: [-(2 ** 31), 1] }, 'int32', [-(2 ** 31), 1]],
    [{ dataType: DataType.UINT32, uint64Data: [2n ** 32n - 1n, 1n] }, 'uint32', [2 ** 32 - 1, 1]],
    [{ dataType: DataType.INT64, int64Data: [-(2n ** 63n), 2n ** 53n + 1n] }, 'int64', [-(2n ** 63n), 2n ** 53n + 1n]],
    [{ dataType: DataType.UINT64, uint64Data: [2n ** 64n - 1n, 1n] }, 'uint64', [2n ** 64n - 1n, 1n]],
    [{ dataType: DataType.BOOL, int32Data: [1, 0] }, 'bool', [1, 0]],
  ];
  for (const [init, type, values] of cases) {
    test(type, () => {
      const read = readTensor(create(TensorProtoSchema, { name: 't', dims: [2n], ...init }));
      assert.equal(read.type, type);
      assert.deepEqual(Array.from<number | bigint>(read.data), values);
      assert.throws(() => readTensor(create(TensorProtoSchema, { name: 't', dims: [3n], ...init })), {
        code: 'model-invalid',
      });
      assert.throws(() => readTensor(create(TensorProtoSchema, { name: 't', dims: [], ...init })), {
        code: 'model-invalid',
      });
    });
  }

  test('an empty tensor holds nothing, a scalar one value', () => {
    assert.equal(readTensor(create(TensorProtoSchema, { dims: [0n, 5n], dataType: DataType.FLOAT })).data.length, 0);
    const scalar = readTensor(create(TensorProtoSchema, { dataType: DataType.FLOAT, floatData: [7] }));
    assert.deepEqual([scalar.dims, [...scalar.data]], [[], [7]]);
  });

  test('bytes that are not a whole number of elements, and claims without bytes', () => {
    const broken = create(TensorProtoSchema, { dims: [2n], dataType: DataType.FLOAT, rawData: new Uint8Array(7) });
    assert.throws(() => readTensor(broken), { code: 'model-invalid' });
    const claim = create(TensorProtoSchema, { dims: [2n ** 50n], dataType: DataType.FLOAT });
    assert.throws(() => readTensor(claim), { code: 'model-invalid' });
  });

  test('types without plain numbers', () => {
    for (const dataType of [DataType.STRING, DataType.COMPLEX64, DataType.INT4, DataType.FLOAT8E4M3FN, 999]) {
      assert.equal(elementTypeOf(dataType), undefined);
      assert.throws(() => readTensor(create(TensorProtoSchema, { dataType })), { code: 'model-invalid' });
    }
  });
});

test('type numbers and names are one to one', () => {
  for (const type of TYPES) {
    assert.equal(elementTypeOf(dataTypeOf(type)), type);
    assert.ok(isElementType(type) && bytesPerElement(type) > 0);
  }
});
