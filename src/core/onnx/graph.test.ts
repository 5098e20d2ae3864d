import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { create } from '@bufbuild/protobuf';
import { assorted, chain, modelOf, named, nested } from '../../../test/fixtures/onnx/models';
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from './attributes';
import { GraphProtoSchema, type GraphProto } from './generated/onnx_pb';
import { Graph, opKey, outputOf } from './graph';
import { makeNode } from './model';

const view = (graph: GraphProto): Graph => new Graph({ proto: modelOf(graph) });

/** A random graph without cycles: each node reads tensors of earlier ones. */
const acyclic = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 30 })
  .chain((reads) =>
    fc.tuple(
      fc.constant(reads),
      fc.shuffledSubarray(
        reads.map((_, i) => i),
        { minLength: reads.length },
      ),
    ),
  )
  .map(([reads, order]) => {
    const nodes = reads.map((from, i) =>
      makeNode({
        op: 'Sum',
        name: `n${i}`,
        inputs: ['x', ...from.map((f) => (i === 0 ? 'x' : `t${f % i}`))],
        outputs: [`t${i}`],
      }),
    );
    return create(GraphProtoSchema, { input: [named('x')], node: order.map((i) => nodes[i]!) });
  });

describe('order', () => {
  test('every tensor is made before it is used, whatever the order of the file', () => {
    fc.assert(
      fc.property(acyclic, (graph) => {
        const made = new Set(['x']);
        const { nodes } = view(graph);
        assert.equal(nodes.length, graph.node.length);
        for (const node of nodes) {
          for (const name of node.input) assert.ok(made.has(name), `${node.name} reads ${name}`);
          for (const name of node.output) made.add(name);
        }
      }),
    );
  });

  test('the order of the file is kept where it holds', () => {
    fc.assert(
      fc.property(acyclic, (graph) => {
        const sorted = [...graph.node].sort((a, b) => Number(a.name.slice(1)) - Number(b.name.slice(1)));
        assert.deepEqual(
          view(create(GraphProtoSchema, { input: graph.input, node: sorted })).nodes.map((n) => n.name),
          sorted.map((n) => n.name),
        );
      }),
    );
  });

  test('a long chain in reverse needs no deep stack', () => {
    const graph = chain(50_000);
    graph.node.reverse();
    assert.equal(view(graph).nodes.at(-1)?.name, 'relu49999');
  });

  test('a cycle anywhere is an error', () => {
    fc.assert(
      fc.property(acyclic, fc.nat(), fc.nat(), (graph, a, b) => {
        const nodes = [...view(graph).nodes];
        const [low, high] = [a % nodes.length, b % nodes.length].sort((p, q) => p - q) as [number, number];
        nodes[high]!.input.push(outputOf(nodes[low]!));
        nodes[low]!.input.push(outputOf(nodes[high]!));
        assert.throws(() => view(graph), { code: 'model-invalid' });
      }),
    );
  });
});

describe('makers and users', () => {
  test('of a plain graph', () => {
    const graph = view(assorted());
    assert.deepEqual(graph.inputs, ['x']);
    assert.deepEqual(graph.outputs, ['y', 'k', 'i']);
    assert.equal(graph.producer('t')?.name, 'conv');
    assert.deepEqual(
      graph.uses('w').map((u) => [u.node.name, u.index]),
      [['conv', 1]],
    );
    assert.equal(graph.soleConsumer('t')?.opType, 'Reshape');
    assert.equal(graph.soleConsumer('y'), undefined);
    assert.ok(graph.isConstant('w') && graph.isConstant('k') && !graph.isConstant('t') && !graph.isInitializer('k'));
    assert.deepEqual(graph.constant('b')?.data, Float32Array.of(0.5, -0.5));
    assert.deepEqual(graph.constant('k')?.data, Uint16Array.of(0x3c00, 0xc000));
    assert.equal(graph.constant('t'), undefined);
  });

  test('subgraphs read outer tensors, at no position of their own', () => {
    const graph = view(nested());
    assert.deepEqual(
      graph.uses('x').map((u) => [u.node.name, u.index]),
      [['y', -1]],
    );
    assert.equal(graph.soleConsumer('x'), undefined);
    assert.deepEqual(
      graph.uses('c').map((u) => u.index),
      [0, -1],
    );
    assert.equal(graph.producer('a'), undefined);
  });

  test('an initializer that is also an input need not be fed', () => {
    const proto = assorted();
    proto.input.push(named('w'));
    assert.deepEqual(view(proto).inputs, ['x']);
  });

  test('the same tensor twice is two uses', () => {
    const node = makeNode({ op: 'Add', name: 'add', inputs: ['x', 'x'], outputs: ['y'] });
    const graph = view(create(GraphProtoSchema, { input: [named('x')], output: [named('y')], node: [node] }));
    assert.deepEqual(
      graph.uses('x').map((u) => u.index),
      [0, 1],
    );
    assert.equal(graph.soleConsumer('x'), undefined);
  });
});

test('attributes are read with the caller’s defaults', () => {
  const [conv] = assorted().node;
  assert.ok(conv !== undefined);
  assert.deepEqual(intsAttribute(conv, 'pads'), [1, 1, 1, 1]);
  assert.equal(intsAttribute(conv, 'dilations'), undefined);
  assert.equal(intAttribute(conv, 'group', 9), 1);
  assert.equal(intAttribute(conv, 'absent', 9), 9);
  assert.equal(stringAttribute(conv, 'auto_pad', 'VALID'), 'NOTSET');
  assert.equal(floatAttribute(conv, 'absent', 0.5), 0.5);
});

test('operators are told apart by domain', () => {
  const key = (domain: string): string => opKey(makeNode({ op: 'Gelu', name: '', inputs: [], outputs: [], domain }));
  assert.deepEqual(['', 'ai.onnx', 'com.microsoft'].map(key), ['Gelu', 'Gelu', 'com.microsoft:Gelu']);
});
