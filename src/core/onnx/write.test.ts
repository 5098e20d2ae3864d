import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { assorted, bytesOf, externalTensor, named } from '../../../test/fixtures/onnx/models';
import { openSession } from '../runtime/session';
import { makeTensor } from '../tensor';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  TensorProto_DataLocation as DataLocation,
} from './generated/onnx_pb';
import { Graph } from './graph';
import { graphOf, makeNode, parseModel, readModel, serializeModel, type OnnxModel } from './model';
import { makeTensorProto } from './tensorProto';
import { writeModel } from './write';

const root = mkdtempSync(path.join(os.tmpdir(), 'quantscope-write-'));
after(() => {
  rmSync(root, { recursive: true, force: true });
});

let folders = 0;
function freshFolder(): string {
  const folder = path.join(root, `f${folders++}`);
  mkdirSync(folder);
  return folder;
}

const big = Float32Array.from({ length: 3000 }, (_, i) => i / 3);
const inner = Float32Array.from({ length: 500 }, (_, i) => -i);

/** `y = x + w[0..2999]` and a branch that holds a tensor of its own. */
function modelWithTensors(weight = makeTensorProto('w', makeTensor('float32', [3000], big))): Uint8Array {
  const constant = makeNode({
    op: 'Constant',
    name: 'constant',
    inputs: [],
    outputs: ['k'],
    attributes: { value: { t: makeTensorProto('', makeTensor('float32', [500], inner)) } },
  });
  const branch = (name: string): ReturnType<typeof create<typeof AttributeProtoSchema>> => {
    const identity = makeNode({ op: 'Identity', name, inputs: [`${name}_w`], outputs: [name] });
    const tensor = makeTensorProto(`${name}_w`, makeTensor('float32', [500], inner));
    const g = create(GraphProtoSchema, { name, node: [identity], initializer: [tensor], output: [named(name)] });
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });
  };
  const branching = makeNode({ op: 'If', name: 'if', inputs: ['c'], outputs: ['z'] });
  branching.attribute.push(branch('then_branch'), branch('else_branch'));
  return bytesOf(
    create(GraphProtoSchema, {
      name: 'g',
      initializer: [weight, makeTensorProto('c', makeTensor('bool', [], Uint8Array.of(1)))],
      node: [makeNode({ op: 'Neg', name: 'neg', inputs: ['w'], outputs: ['y'] }), constant, branching],
      output: [named('y'), named('k'), named('z')],
    }),
  );
}

async function outputs(file: string): Promise<Record<string, number[]>> {
  const session = await openSession(file, { threads: 1 });
  try {
    const results = await session.run({});
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, Array.from(tensor.data, Number)]));
  } finally {
    await session.close();
  }
}

const EXPECTED = { y: Array.from(big, (v) => -v), k: [...inner], z: [...inner] };

function isExternal(model: OnnxModel, name: string): boolean {
  return graphOf(model).initializer.find((t) => t.name === name)?.dataLocation === DataLocation.EXTERNAL;
}

describe('writeModel', () => {
  test('a small model is one file with the very bytes', async () => {
    const folder = freshFolder();
    const file = path.join(folder, 'a.onnx');
    const bytes = bytesOf(assorted());
    const { files, sha256 } = await writeModel(file, parseModel(bytes));
    assert.deepEqual(files, [{ path: file, bytes: bytes.length }]);
    assert.equal(sha256, createHash('sha256').update(readFileSync(file)).digest('hex'));
    assert.ok(Buffer.from(bytes).equals(readFileSync(file)));
    assert.deepEqual(readdirSync(folder), ['a.onnx']);
  });

  test('above the limit the tensors go beside it, subgraphs and constants included', async () => {
    const folder = freshFolder();
    const file = path.join(folder, 'net.int8.onnx');
    const model = parseModel(modelWithTensors());
    const before = Buffer.from(serializeModel(model));
    const { files } = await writeModel(file, model, { embeddedLimit: 10_000 });
    assert.ok(before.equals(serializeModel(model)), 'the model in memory is as it was');
    assert.deepEqual(
      files.map((f) => path.basename(f.path)),
      ['net.int8.onnx', 'net.int8.onnx.data'],
    );
    for (const { path: written, bytes } of files) assert.equal(statSync(written).size, bytes);
    assert.ok(files[0]!.bytes < 2000);
    const read = await readModel(file);
    assert.ok(isExternal(read, 'w') && !isExternal(read, 'c'));
    assert.deepEqual(new Graph(read).constant('w')?.data, big);
    assert.deepEqual(await outputs(file), EXPECTED);
    assert.deepEqual(readdirSync(folder).sort(), ['net.int8.onnx', 'net.int8.onnx.data']);
  });

  test('external tensors are carried over into a file of the new model', async () => {
    const [source, target] = [freshFolder(), freshFolder()];
    writeFileSync(path.join(source, 'weights.bin'), Buffer.concat([Buffer.alloc(16), Buffer.from(big.buffer)]));
    const weight = externalTensor('w', [3000], { location: 'weights.bin', offset: '16', length: '12000' });
    writeFileSync(path.join(source, 'a.onnx'), modelWithTensors(weight));
    const model = await readModel(path.join(source, 'a.onnx'));
    const file = path.join(target, 'b.onnx');
    await writeModel(file, model);
    rmSync(source, { recursive: true });
    assert.deepEqual(await outputs(file), EXPECTED);
    assert.deepEqual(readdirSync(target).sort(), ['b.onnx', 'b.onnx.data']);
  });

  test('over itself: the data is read before it is replaced', async () => {
    const folder = freshFolder();
    const file = path.join(folder, 'a.onnx');
    await writeModel(file, parseModel(modelWithTensors()), { embeddedLimit: 0 });
    for (let i = 0; i < 2; i++) await writeModel(file, await readModel(file));
    assert.deepEqual(await outputs(file), EXPECTED);
  });

  test('a failure leaves nothing behind', async () => {
    const folder = freshFolder();
    const missing = externalTensor('w', [3000], { location: 'absent.bin' });
    const model = parseModel(modelWithTensors(missing), folder);
    await assert.rejects(writeModel(path.join(folder, 'a.onnx'), model), { code: 'external-data-missing' });
    const escaping = parseModel(modelWithTensors(externalTensor('w', [3000], { location: '../x' })), folder);
    await assert.rejects(writeModel(path.join(folder, 'a.onnx'), escaping), { code: 'external-data-unsafe' });
    const short = parseModel(modelWithTensors(externalTensor('w', [3000], { location: 'short' })), folder);
    writeFileSync(path.join(folder, 'short'), Buffer.alloc(100));
    await assert.rejects(writeModel(path.join(folder, 'a.onnx'), short), { code: 'external-data-missing' });
    assert.deepEqual(readdirSync(folder), ['short']);
    await assert.rejects(writeModel(path.join(folder, 'no', 'a.onnx'), parseModel(modelWithTensors())), {
      code: 'file-not-found',
    });
  });
});
