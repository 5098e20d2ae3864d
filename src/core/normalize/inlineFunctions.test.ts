import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  OperatorSetIdProtoSchema,
  type AttributeProto,
  type FunctionProto,
  type NodeProto,
} from '../onnx/generated/onnx_pb';
import { makeAttribute } from '../onnx/attributes';
import { graphOf, makeNode, parseModel, serializeModel, type NodeSpec, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { assertSameOutputs, buildGraph, buildModel, f32, graphAttribute, run, type ModelSpec } from './fixtures/models';
import { feeder, normalized, stepIds } from './fixtures/normalized';

const OPTIONS = { requiredOpset: 13 };

interface FunctionSpec {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly attributes?: readonly string[];
  readonly defaults?: readonly AttributeProto[];
  readonly opset?: number;
}

function functionOf({ name, inputs, outputs, nodes, attributes, defaults, opset }: FunctionSpec): FunctionProto {
  return create(FunctionProtoSchema, {
    name,
    domain: 'own',
    input: [...inputs],
    output: [...outputs],
    node: [...nodes],
    attribute: [...(attributes ?? [])],
    attributeProto: [...(defaults ?? [])],
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset ?? 17) }),
      create(OperatorSetIdProtoSchema, { domain: 'own', version: 1n }),
    ],
  });
}

/** A node of a body; a name as ONNX lets a body have it, '' too. */
function inner(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  spec: Partial<NodeSpec> = {},
): NodeProto {
  return makeNode({ op, name: '', inputs, outputs, ...spec });
}

const call = (
  fn: string,
  inputs: readonly string[],
  outputs: readonly string[],
  spec: Partial<NodeSpec> = {},
): NodeProto =>
  inner(fn, inputs, outputs, { domain: 'own', name: `${fn}_${outputs.find((name) => name !== '') ?? ''}`, ...spec });

function referring(node: NodeProto, name: string, to: string, type: AttributeProto['type']): NodeProto {
  node.attribute.push(create(AttributeProtoSchema, { name, refAttrName: to, type }));
  return node;
}

function withGraphs(node: NodeProto, graphs: Readonly<Record<string, Parameters<typeof buildGraph>[0]>>): NodeProto {
  for (const [name, graph] of Object.entries(graphs)) node.attribute.push(graphAttribute(name, buildGraph(graph)));
  return node;
}

function modelOf(
  functions: readonly FunctionSpec[],
  spec: Omit<ModelSpec, 'opset'> & { readonly opset?: number },
): OnnxModel {
  const model = buildModel({ opset: 17, ...spec });
  model.proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'own', version: 1n }));
  model.proto.functions = functions.map(functionOf);
  return parseModel(serializeModel(model));
}

const FLOAT = makeAttribute('a', { f: 1 }).type;
const LEAKY: FunctionSpec = {
  name: 'Leaky',
  inputs: ['x'],
  outputs: ['y'],
  attributes: ['slope'],
  nodes: [referring(inner('LeakyRelu', ['x'], ['y'], { name: 'act' }), 'alpha', 'slope', FLOAT)],
};
const TWICE: FunctionSpec = {
  name: 'Twice',
  inputs: ['x'],
  outputs: ['y'],
  defaults: [makeAttribute('slope', { f: 0.25 })],
  nodes: [
    referring(call('Leaky', ['x'], ['t'], { name: 'first' }), 'slope', 'slope', FLOAT),
    call('Leaky', ['t'], ['y'], { name: 'second', attributes: { slope: { f: 0.5 } } }),
  ],
};
/** A branch that reads the input and a local of the function, with a local of the name of a caller's tensor. */
const BRANCHING: FunctionSpec = {
  name: 'Branching',
  inputs: ['a'],
  outputs: ['b'],
  nodes: [
    inner('ReduceSum', ['a'], ['sum'], { attributes: { keepdims: 0 } }),
    inner('Cast', ['sum'], ['c'], { attributes: { to: 9 } }),
    withGraphs(inner('If', ['c'], ['b']), {
      then_branch: {
        inputs: {},
        nodes: [inner('Neg', ['a'], ['x']), inner('Mul', ['x', 'sum'], ['t'])],
        outputs: ['t'],
      },
      else_branch: {
        inputs: {},
        nodes: [call('Leaky', ['a'], ['t'], { attributes: { slope: { f: 0.1 } } })],
        outputs: ['t'],
      },
    }),
  ],
};
const CASES: Readonly<
  Record<string, readonly [readonly FunctionSpec[], Omit<ModelSpec, 'opset' | 'inputs'> & { readonly opset?: number }]>
> = {
  'an attribute that a call gives': [
    [LEAKY],
    { nodes: [call('Leaky', ['x'], ['y'], { attributes: { slope: { f: 0.3 } } })], outputs: ['y'] },
  ],
  'an attribute that nobody gives': [[LEAKY], { nodes: [call('Leaky', ['x'], ['y'])], outputs: ['y'] }],
  'functions in functions, a default': [[LEAKY, TWICE], { nodes: [call('Twice', ['x'], ['y'])], outputs: ['y'] }],
  'an input left out': [
    [
      {
        name: 'Cut',
        inputs: ['x', 'low', 'high'],
        outputs: ['y'],
        nodes: [inner('Clip', ['x', 'low', 'high'], ['y'])],
      },
    ],
    {
      constants: { one: f32([], [0.5]) },
      nodes: [call('Cut', ['x', '', 'one'], ['t']), call('Cut', ['t'], ['y'])],
      outputs: ['y'],
    },
  ],
  'an output that a call does not want': [
    [
      {
        name: 'Many',
        inputs: ['x'],
        outputs: ['n', 'e'],
        nodes: [inner('Neg', ['x'], ['n']), inner('Exp', ['x'], ['e'])],
      },
    ],
    { nodes: [call('Many', ['x'], ['p', 'q']), call('Many', ['q'], ['', 's'])], outputs: ['p', 'q', 's'] },
  ],
  'local names that the caller has too': [
    [{ name: 'Clash', inputs: ['t'], outputs: ['y'], nodes: [inner('Neg', ['t'], ['x']), inner('Exp', ['x'], ['y'])] }],
    { nodes: [call('Clash', ['x'], ['t']), call('Clash', ['t'], ['y'])], outputs: ['y'] },
  ],
  'graphs in a function': [
    [LEAKY, BRANCHING],
    { nodes: [call('Branching', ['x'], ['t']), call('Branching', ['t'], ['y'])], outputs: ['y'] },
  ],
  'a call in a graph': [
    [LEAKY, TWICE, BRANCHING],
    {
      nodes: [
        inner('ReduceSum', ['x'], ['sum'], { name: 'sum', attributes: { keepdims: 0 } }),
        inner('Cast', ['sum'], ['c'], { name: 'cast', attributes: { to: 9 } }),
        withGraphs(inner('If', ['c'], ['y'], { name: 'if' }), {
          then_branch: { inputs: {}, nodes: [call('Twice', ['x'], ['b'])], outputs: ['b'] },
          else_branch: { inputs: {}, nodes: [call('Branching', ['x'], ['b'])], outputs: ['b'] },
        }),
      ],
      outputs: ['y'],
    },
  ],
  'another opset than the model': [
    [{ name: 'Old', inputs: ['x'], outputs: ['y'], opset: 11, nodes: [inner('Softmax', ['x'], ['y'])] }],
    { nodes: [call('Old', ['x'], ['y'])], outputs: ['y'] },
  ],
  'an opset below what is needed': [
    [
      {
        name: 'Old',
        inputs: ['x'],
        outputs: ['y'],
        opset: 11,
        nodes: [inner('Softmax', ['x'], ['y'], { attributes: { axis: 0 } })],
      },
    ],
    { opset: 11, nodes: [call('Old', ['x'], ['y'])], outputs: ['y'] },
  ],
};

describe('an inlined model computes what the runtime made of its functions', () => {
  for (const [name, [functions, spec]] of Object.entries(CASES)) {
    test(name, async () => {
      const model = modelOf(functions, { inputs: { x: [2, 3] }, ...spec });
      const result = await normalized(model, OPTIONS);
      assert.ok(stepIds(result).includes('inline-functions'));
      assert.deepEqual(result.model.proto.functions, []);
      const domains = JSON.stringify(result.model.proto.graph, (_, value: unknown) =>
        typeof value === 'bigint' ? 0 : value,
      );
      assert.ok(!domains.includes('"own"'), 'no call is left');
      // Seeds for both branches of an If.
      for (const seed of [1, 2, 3, 4]) {
        const expected = await run(model, feeder(seed, 4));
        assertSameOutputs(await run(result.model, feeder(seed, 4)), expected, 1e-6, `seed ${seed}`);
      }
    });
  }

  test('names of layers tell the call they belong to', async () => {
    const model = modelOf([LEAKY, TWICE], {
      inputs: { x: [2, 3] },
      nodes: [call('Twice', ['x'], ['y'], { name: '/block' })],
      outputs: ['y'],
    });
    const { model: after, steps } = await normalized(model, OPTIONS);
    assert.deepEqual(
      graphOf(after).node.map((node) => node.name),
      ['/block/first/act', '/block/second/act'],
    );
    assert.deepEqual(
      steps.map((step) => step.nodes),
      [['/block']],
    );
  });

  test('a constant of a function is stored once, however often it is called', async () => {
    const weight = inner('Constant', [], ['w'], {
      attributes: { value: { t: makeTensorProto('', f32([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])) } },
    });
    const product = {
      name: 'Product',
      inputs: ['x'],
      outputs: ['y'],
      nodes: [weight, inner('MatMul', ['x', 'w'], ['y'])],
    };
    const model = modelOf([product], {
      inputs: { x: [2, 3] },
      nodes: [call('Product', ['x'], ['t']), call('Product', ['t'], ['u']), call('Product', ['u'], ['y'])],
      outputs: ['y'],
    });
    const { model: after } = await normalized(model, { ...OPTIONS, constants: false });
    assert.equal(graphOf(after).initializer.length, 1);
    assertSameOutputs(await run(after, feeder(1, 4)), await run(model, feeder(1, 4)), 1e-6, 'product');
  });
});

describe('functions that no network has are refused before the runtime sees them', () => {
  const doubling = (depth: number): FunctionSpec[] =>
    Array.from({ length: depth }, (_, i) => ({
      name: `F${i}`,
      inputs: ['a'],
      outputs: ['b'],
      nodes:
        i === 0 ? [inner('Relu', ['a'], ['b'])] : [call(`F${i - 1}`, ['a'], ['c']), call(`F${i - 1}`, ['c'], ['b'])],
    }));
  const of =
    (functions: readonly FunctionSpec[], first: string): (() => OnnxModel) =>
    () =>
      modelOf(functions, { inputs: { x: [2, 3] }, nodes: [call(first, ['x'], ['y'])], outputs: ['y'] });

  test('more nodes than any export has', () => {
    for (const depth of [26, 60]) {
      assert.throws(of(doubling(depth), `F${depth - 1}`), { code: 'model-too-large' });
    }
    assert.doesNotThrow(of(doubling(12), 'F11'));
  });

  test('many copies of a tensor in an inner graph', () => {
    const big = f32([2 ** 20], Array.from(new Float32Array(2 ** 20)));
    const branch = { inputs: {}, constants: { big }, nodes: [inner('ReduceSum', ['big'], ['s'])], outputs: ['s'] };
    const [first, ...rest] = doubling(11);
    const holding = {
      ...first!,
      nodes: [
        inner('Cast', ['a'], ['c'], { attributes: { to: 9 } }),
        withGraphs(inner('If', ['c'], ['b']), { then_branch: branch, else_branch: branch }),
      ],
    };
    assert.throws(of([holding, ...rest], 'F10'), { code: 'model-too-large' });
  });

  test('recursion, direct, over others and out of a graph', () => {
    const body = (name: string, calls: string): FunctionSpec => ({
      name,
      inputs: ['a'],
      outputs: ['b'],
      nodes: [call(calls, ['a'], ['b'])],
    });
    assert.throws(of([body('A', 'A')], 'A'), { code: 'model-invalid' });
    assert.throws(of([body('A', 'B'), body('B', 'C'), body('C', 'A')], 'A'), { code: 'model-invalid' });
    const hidden: FunctionSpec = {
      name: 'A',
      inputs: ['a'],
      outputs: ['b'],
      nodes: [
        inner('Cast', ['a'], ['c'], { attributes: { to: 9 } }),
        withGraphs(inner('If', ['c'], ['b']), {
          then_branch: { inputs: {}, nodes: [call('A', ['a'], ['t'])], outputs: ['t'] },
          else_branch: { inputs: {}, nodes: [inner('Neg', ['a'], ['t'])], outputs: ['t'] },
        }),
      ],
    };
    assert.throws(of([hidden], 'A'), { code: 'model-invalid' });
  });

  test('a chain deeper than the stack', () => {
    const chain = Array.from({ length: 20_000 }, (_, i): FunctionSpec => ({
      name: `F${i}`,
      inputs: ['a'],
      outputs: ['b'],
      nodes: [i === 0 ? inner('Relu', ['a'], ['b']) : call(`F${i - 1}`, ['a'], ['b'])],
    }));
    assert.throws(of(chain, 'F19999'), { code: 'model-invalid' });
  });

  test('a body that reads what nothing makes', async () => {
    const model = of(
      [{ name: 'A', inputs: ['a'], outputs: ['b'], nodes: [inner('Add', ['a', 'nothing'], ['b'])] }],
      'A',
    )();
    await assert.rejects(normalized(model, OPTIONS), { code: 'model-invalid' });
  });
});
