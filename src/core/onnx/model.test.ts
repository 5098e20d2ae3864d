import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import {
  create,
  fromBinary,
  isMessage,
  ScalarType,
  toBinary,
  type DescMessage,
  type Message,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { assorted, bytesOf, chain, modelOf, named, nested } from '../../../test/fixtures/onnx/models';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './generated/onnx_pb';
import { cloneModel, graphOf, opsetVersion, parseModel, serializeModel, setOpsetVersion } from './model';

const MODELS = path.resolve(__dirname, '../../../../shared/data/models');
const skip = existsSync(MODELS) ? false : `${MODELS} is missing`;

/** A field number that no version of the format uses, so that every message carries one it does not know. */
const UNKNOWN_FIELD = 4242;

/** Every message inside `message`, itself included. */
function* messagesIn(message: Message): Generator<Message> {
  yield message;
  const visit = function* (value: unknown): Generator<Message> {
    if (Array.isArray(value)) for (const item of value) yield* visit(item);
    else if (isMessage(value)) yield* messagesIn(value);
    else if (typeof value === 'object' && value !== null && 'case' in value && 'value' in value)
      yield* visit(value.value);
  };
  for (const value of Object.values(message)) yield* visit(value);
}

function plantUnknown(root: Message): number {
  let planted = 0;
  for (const message of messagesIn(root)) {
    // A length-delimited field of two bytes; the data of an unknown field has its length in front.
    message.$unknown = [
      { no: UNKNOWN_FIELD, wireType: WireType.LengthDelimited, data: Uint8Array.of(2, planted & 0xff, 0xa5) },
    ];
    planted++;
  }
  return planted;
}

function countUnknown(root: Message): number {
  return [...messagesIn(root)].filter((m) => m.$unknown?.some((field) => field.no === UNKNOWN_FIELD)).length;
}

describe('round trip', () => {
  test('byte for byte on real models', { skip }, () => {
    for (const file of readdirSync(MODELS).filter((name) => name.endsWith('.onnx'))) {
      const bytes = readFileSync(path.join(MODELS, file));
      const model = parseModel(bytes);
      assert.ok(bytes.equals(serializeModel(model)), file);
      assert.ok(bytes.equals(serializeModel(cloneModel(model))), `${file}, cloned`);
    }
  });

  test('keeps unknown fields of every message of real models', { skip }, () => {
    for (const file of ['mnist.onnx', 'silero_vad_16k_op15.onnx']) {
      const planted = fromBinary(ModelProtoSchema, readFileSync(path.join(MODELS, file)));
      const count = plantUnknown(planted);
      const bytes = toBinary(ModelProtoSchema, planted);
      const model = parseModel(bytes);
      assert.equal(countUnknown(model.proto), count);
      assert.ok(Buffer.from(bytes).equals(serializeModel(cloneModel(model))), file);
    }
  });

  test('keeps everything of any message the format allows', () => {
    fc.assert(
      fc.property(arbitraryMessage(ModelProtoSchema, 5), (message) => {
        const count = plantUnknown(message);
        const bytes = toBinary(ModelProtoSchema, message as ReturnType<typeof create<typeof ModelProtoSchema>>);
        const parsed = fromBinary(ModelProtoSchema, bytes);
        assert.equal(countUnknown(parsed), count);
        assert.ok(Buffer.from(bytes).equals(toBinary(ModelProtoSchema, parsed)));
      }),
      { numRuns: 100, seed: 11 },
    );
  });

  test('64-bit integers stay exact', () => {
    const huge = [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
    const graph = assorted();
    graph.node[0]?.attribute.push(create(AttributeProtoSchema, { name: 'huge', ints: huge, i: huge[0]! }));
    graph.initializer.push(create(TensorProtoSchema, { name: 'h', dims: [3n], dataType: 7, int64Data: huge }));
    const dim = create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: huge[0]! } });
    const tensorType = create(TypeProto_TensorSchema, {
      elemType: 1,
      shape: create(TensorShapeProtoSchema, { dim: [dim] }),
    });
    const type = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } });
    graph.valueInfo.push(create(ValueInfoProtoSchema, { name: 't', type }));
    const parsed = graphOf(parseModel(bytesOf(graph)));
    assert.deepEqual(parsed.node[0]?.attribute.at(-1)?.ints, huge);
    assert.deepEqual(parsed.initializer.at(-1)?.int64Data, huge);
    assert.deepEqual(parsed.valueInfo[0]?.type, type);
  });
});

/** Random messages of any shape, by the descriptor alone; depth bounds the recursion of the format. */
function arbitraryMessage(schema: DescMessage, depth: number): fc.Arbitrary<Message> {
  const fields = schema.fields.filter((f) => depth > 0 || (f.fieldKind !== 'message' && f.message === undefined));
  const entries = fields.map((field) => {
    const single = (): fc.Arbitrary<unknown> => {
      if (field.message !== undefined) return arbitraryMessage(field.message, depth - 1);
      if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map((v) => v.number));
      return arbitraryScalar(field.scalar);
    };
    const rare = field.message === undefined ? 2 : 4;
    const value = fc.oneof(
      { weight: rare, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant(null).chain(single) },
    );
    return value.chain((one) =>
      fc.constant({ field, value: one === undefined || field.fieldKind !== 'list' ? one : [one, one] }),
    );
  });
  return fc.tuple(...entries).map((chosen) => {
    const message = create(schema);
    const view = reflect(schema, message);
    for (const { field, value } of chosen) {
      if (value === undefined) continue;
      if (field.fieldKind === 'list') {
        for (const item of value as unknown[]) view.get(field).add(asItem(field.message, item));
      } else {
        view.set(field, asItem(field.message, value));
      }
    }
    return message;
  });
}

function asItem(schema: DescMessage | undefined, value: unknown): unknown {
  return schema === undefined ? value : reflect(schema, value as Message);
}

function arbitraryScalar(type: ScalarType | undefined): fc.Arbitrary<unknown> {
  if (type === ScalarType.STRING) return fc.string({ unit: 'grapheme', maxLength: 8 });
  if (type === ScalarType.BYTES) return fc.uint8Array({ maxLength: 16 });
  if (type === ScalarType.FLOAT) return fc.float({ noNaN: true });
  if (type === ScalarType.DOUBLE) return fc.double({ noNaN: true });
  if (type === ScalarType.INT64) return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  if (type === ScalarType.UINT64) return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  return fc.integer();
}

describe('a clone', () => {
  test('can be edited without the original changing', () => {
    const model = parseModel(bytesOf(nested()));
    const before = Buffer.from(serializeModel(model));
    const copy = cloneModel(model);
    const inner = graphOf(copy).node[1]?.attribute[0]?.g;
    assert.ok(inner !== undefined);
    inner.node[0]!.name = 'renamed';
    inner.node[0]!.attribute[0]!.g!.node.pop();
    inner.node.push(...chain(2).node);
    graphOf(copy).node[0]!.input[0] = 'c';
    graphOf(copy).output.pop();
    graphOf(copy).initializer.push(create(TensorProtoSchema, { name: 'new' }));
    setOpsetVersion(copy, '', 20);
    setOpsetVersion(copy, 'mine', 1);
    assert.ok(before.equals(serializeModel(model)));
    assert.equal(opsetVersion(copy, 'ai.onnx'), 20);
    assert.equal(opsetVersion(copy, 'mine'), 1);
    assert.equal(opsetVersion(model), 13);
  });
});

describe('rejects', () => {
  const rejects = (what: string, bytes: Uint8Array, code: string): void => {
    test(what, () => {
      assert.throws(() => parseModel(bytes), { name: 'QuantscopeError', code });
    });
  };
  const withDims = (dims: bigint[]): Uint8Array =>
    bytesOf(create(GraphProtoSchema, { initializer: [create(TensorProtoSchema, { name: 't', dims, dataType: 1 })] }));
  rejects('nothing', new Uint8Array(), 'model-unreadable');
  rejects('text', new TextEncoder().encode('<!DOCTYPE html>'), 'model-unreadable');
  rejects('no opset', toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: assorted() })), 'opset-missing');
  rejects('a dimension beyond 2^53', withDims([2n ** 53n + 1n]), 'model-invalid');
  rejects('a dimension beyond 2^53 beside an empty one', withDims([0n, 2n ** 53n + 1n]), 'model-invalid');
  rejects('more elements than can be counted', withDims([2n ** 30n, 2n ** 30n]), 'model-invalid');
  rejects('a million dimensions', withDims(new Array<bigint>(1_000_000).fill(2n ** 40n)), 'model-invalid');
  rejects('a negative dimension', withDims([-1n]), 'model-invalid');
  const dangling = chain(3);
  dangling.node[1]!.input[0] = 'nowhere';
  rejects('a name that nothing makes', bytesOf(dangling), 'model-invalid');
  const cyclic = chain(3);
  cyclic.node[0]!.input.push('y');
  rejects('a cycle', bytesOf(cyclic), 'model-invalid');
  const twice = chain(3);
  twice.node[2]!.output[0] = 't1';
  rejects('a tensor made twice', bytesOf(twice), 'model-invalid');
  const lost = chain(3);
  lost.output.push(named('lost'));
  rejects('an output that nothing makes', bytesOf(lost), 'model-invalid');
  let deep = chain(1);
  for (let i = 0; i < 40; i++) {
    const attribute = [create(AttributeProtoSchema, { name: 'body', g: deep })];
    deep = create(GraphProtoSchema, {
      node: [{ ...chain(1).node[0]!, attribute }],
      input: [named('x')],
      output: [named('y')],
    });
  }
  // Either limit may stop it: the one of the parser for messages or ours for subgraphs.
  test('forty subgraphs within one another', () => {
    const bytes = toBinary(ModelProtoSchema, modelOf(deep));
    assert.throws(() => parseModel(bytes), { name: 'QuantscopeError', code: /model-(unreadable|invalid)/ });
  });
});
