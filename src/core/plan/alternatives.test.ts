import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildModel, node } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { inferTensors } from '../runtime/inspect';
import { backendsFor } from './alternatives';
import { IMAGE, KERNEL } from './fixtures/between';

async function alternatives(op: string, inputs: readonly string[]): Promise<readonly string[]> {
  const constants = { k: KERNEL };
  const model = buildModel({
    opset: 13,
    inputs: IMAGE,
    constants,
    nodes: [node(op, [...inputs], ['y'])],
    outputs: ['y'],
  });
  const graph = new Graph(model);
  return backendsFor(graph.nodes[0]!, graph, await inferTensors(model));
}

test('the backends whose table has the operator, and whose conditions hold', async () => {
  assert.deepEqual(await alternatives('ConvTranspose', ['x', 'k']), ['tensorrt', 'qnn', 'xnnpack', 'openvino']);
  // Its weight is no constant.
  assert.deepEqual(await alternatives('ConvTranspose', ['x', 'x']), []);
  assert.deepEqual(await alternatives('Tanh', ['x']), []);
});
