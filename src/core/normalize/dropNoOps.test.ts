import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planOf } from '../convert/fixtures/quantized';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { graphOf } from '../onnx/model';
import { PADS, ramp } from '../plan/fixtures/between';
import { assertSameOutputs, buildGraph, buildModel, graphAttribute, node, run } from './fixtures/models';
import { feeder, normalized, ops } from './fixtures/normalized';

const IMAGE = [1, 4, 6, 6];

describe('nodes that hand on what they read', () => {
  const kept = async (nodes: readonly NodeProto[], outputs: readonly string[] = ['y']): Promise<string[]> => {
    const model = buildModel({
      opset: 13,
      inputs: { x: IMAGE },
      constants: { w: ramp(4, 4, 3, 3), yes: { type: 'bool', dims: [], data: Uint8Array.of(1) } },
      nodes,
      outputs,
    });
    const result = await normalized(model, { requiredOpset: 13 });
    const same = await run(result.model, feeder(1, 2));
    assertSameOutputs(same, await run(model, feeder(1, 2)), 0, outputs.join());
    return ops(result.model);
  };

  test('go, also several in a row and before several readers', async () => {
    const chain = [node('Identity', ['x'], ['a']), node('Dropout', ['a'], ['b', 'mask'])];
    assert.deepEqual(await kept([...chain, node('Tanh', ['b'], ['t']), node('Add', ['t', 'b'], ['y'])]), [
      'Tanh',
      'Add',
    ]);
  });

  test('stay where they make an output of the model, or a graph inside reads what they make', async () => {
    assert.deepEqual(await kept([node('Tanh', ['x'], ['t']), node('Identity', ['t'], ['y'])]), ['Tanh', 'Identity']);
    const body = buildGraph({ inputs: {}, nodes: [node('Tanh', ['i'], ['z'])], outputs: ['z'] });
    const other = buildGraph({ inputs: {}, nodes: [node('Neg', ['i'], ['n'])], outputs: ['n'] });
    const branches = [graphAttribute('then_branch', body), graphAttribute('else_branch', other)];
    const choose = node('If', ['yes'], ['y']);
    choose.attribute.push(...branches);
    assert.ok((await kept([node('Identity', ['x'], ['i']), choose])).includes('Identity'));
  });

  test('stay where somebody reads the mask of a Dropout', async () => {
    const nodes = [node('Dropout', ['x'], ['d', 'm']), node('Where', ['m', 'd', 'x'], ['y'])];
    assert.deepEqual(await kept(nodes), ['Dropout', 'Where']);
  });

  test('do not keep their neighbours out of int8', async () => {
    const model = buildModel({
      opset: 13,
      inputs: { x: IMAGE },
      constants: { w: ramp(4, 4, 3, 3), v: ramp(8, 8, 3, 3) },
      nodes: [
        node('Conv', ['x', 'w'], ['a'], PADS),
        node('Concat', ['a', 'a'], ['c'], { axis: 1 }),
        node('Dropout', ['c'], ['d']),
        node('Identity', ['d'], ['e']),
        node('Conv', ['e', 'v'], ['y'], PADS),
      ],
      outputs: ['y'],
    });
    const { plan, model: fp32 } = await planOf(model);
    assert.deepEqual(
      plan.layers.map(({ name, quantize }) => [name, quantize]),
      graphOf(fp32).node.map(({ name }) => [name, true]),
    );
    assert.equal(plan.layers.length, 3);
  });
});
