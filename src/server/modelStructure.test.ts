import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
} from '../core/onnx/generated/onnx_pb';
import { graphOf, makeNode, parseModel, serializeModel } from '../core/onnx/model';
import { nameNodes } from '../core/normalize/names';
import { ERROR_CODES, QuantscopeError } from '../shared/errors';
import { modelOf } from '../../test/fixtures/onnx/models';
import { readStructure } from './modelStructure';

const folder = mkdtempSync(path.join(tmpdir(), 'quantscope-test-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

function written(bytes: Uint8Array): string {
  const file = path.join(folder, 'net.onnx');
  writeFileSync(file, bytes);
  return file;
}

const SAMPLE = path.join(__dirname, '../../samples/shapes.onnx');

describe('the structure of a model file', () => {
  test('is that of the decoded model', async () => {
    const model = parseModel(readFileSync(SAMPLE));
    nameNodes(graphOf(model));
    const { nodes, opset } = await readStructure(SAMPLE);
    const expected = graphOf(model).node.filter(({ opType }) => opType !== 'Constant');
    assert.deepEqual(
      nodes.map(({ name, op }) => [name, op]),
      expected.map(({ name, opType }) => [name, opType]),
    );
    assert.ok(opset !== undefined && opset >= 13);
  });

  test('names nodes as normalising does, counting those of subgraphs', async () => {
    const branch = create(GraphProtoSchema, {
      name: 'branch',
      node: [makeNode({ op: 'Neg', name: '', inputs: ['x'], outputs: ['b'] })],
    });
    const choose = makeNode({ op: 'If', name: '', inputs: ['x'], outputs: ['y'] });
    choose.attribute.push(create(AttributeProtoSchema, { name: 'then_branch', type: AttributeType.GRAPH, g: branch }));
    const last = makeNode({ op: 'Relu', name: '', inputs: ['y'], outputs: ['z'] });
    const graph = create(GraphProtoSchema, { name: 'g', node: [choose, last] });
    const { nodes } = await readStructure(written(serializeModel({ proto: modelOf(graph) })));
    assert.deepEqual(
      nodes.map(({ name }) => name),
      ['If_0', 'Relu_1'],
    );
  });

  test('tells what will be folded', async () => {
    const graph = create(GraphProtoSchema, {
      name: 'g',
      initializer: [create(TensorProtoSchema, { name: 'w', dims: [1n], dataType: 1, rawData: new Uint8Array(4) })],
      node: [
        makeNode({ op: 'Neg', name: 'constant', inputs: ['w'], outputs: ['n'] }),
        makeNode({ op: 'Conv', name: 'conv', inputs: ['x', 'n'], outputs: ['c'] }),
        makeNode({ op: 'BatchNormalization', name: 'bn', inputs: ['c', 'w', 'w', 'w', 'w'], outputs: ['d'] }),
        makeNode({ op: 'BatchNormalization', name: 'alone', inputs: ['x', 'w', 'w', 'w', 'w'], outputs: ['e'] }),
      ],
    });
    const { nodes } = await readStructure(written(serializeModel({ proto: modelOf(graph) })));
    assert.deepEqual(
      nodes.map(({ name, folds }) => [name, folds]),
      [
        ['constant', true],
        ['conv', false],
        ['bn', true],
        ['alone', false],
      ],
    );
  });

  test('is read past weights that are larger than what is read at once, and past nodes that hold one', async () => {
    const rawData = new Uint8Array(3 << 20).fill(7);
    const tensor = create(TensorProtoSchema, { name: 'w', dims: [BigInt(rawData.length)], dataType: 3, rawData });
    const constant = makeNode({ op: 'Constant', name: 'big', inputs: [], outputs: ['k'] });
    constant.attribute.push(create(AttributeProtoSchema, { name: 'value', type: AttributeType.TENSOR, t: tensor }));
    const graph = create(GraphProtoSchema, {
      name: 'g',
      initializer: [tensor],
      node: [constant, create(NodeProtoSchema, { opType: 'Add', name: 'add', input: ['x', 'k'], output: ['y'] })],
    });
    const { nodes } = await readStructure(written(serializeModel({ proto: modelOf(graph) })));
    assert.deepEqual(nodes, [{ name: 'add', op: 'Add', folds: false }]);
  });

  test('of whatever bytes is read, or refused with a code', async () => {
    const bytes = readFileSync(SAMPLE);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (position, value, cut) => {
        const copy = Uint8Array.from(cut ? bytes.subarray(0, position) : bytes);
        if (!cut) copy[position] = value;
        try {
          await readStructure(written(copy));
        } catch (error) {
          assert.ok(error instanceof QuantscopeError && error.code in ERROR_CODES, String(error));
          assert.equal(error.code, 'model-unreadable');
        }
      }),
      { numRuns: 150 },
    );
    await assert.rejects(readStructure(path.join(folder, 'nothing.onnx')), { code: 'file-not-found' });
    await assert.rejects(readStructure(folder), { code: 'model-unreadable' });
  });
});
