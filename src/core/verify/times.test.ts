import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, describe, test } from 'node:test';
import { pairOf } from '../../../test/fixtures/analyze/qdqPair';
import type { Conversion } from '../convert/types';
import { buildModel, node } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { readModel } from '../onnx/model';
import type { Plan } from '../plan/types';
import { timesByLayer, type LayerTimes } from './times';

const FOLDER = path.join(__dirname, '../../../test/fixtures/analyze');

let plan: Plan;
let conversion: Conversion;

before(async () => {
  const fp32 = await readModel(path.join(FOLDER, 'fp32.onnx'));
  ({ plan, conversion } = pairOf(fp32, await readModel(path.join(FOLDER, 'int8.onnx'))));
});

/** A runtime's graph from `[name, op, inputs, outputs]`; its nodes take 1, 2, 4, 8 … microseconds. */
function timesOf(nodes: readonly (readonly [string, string, string[], string[]])[]): LayerTimes {
  const made = nodes.map(([name, op, inputs, outputs]) => Object.assign(node(op, inputs, outputs), { name }));
  const optimized = new Graph(
    buildModel({ opset: 13, inputs: { x: [1], s: [1], z: [1] }, nodes: made, outputs: [nodes.at(-1)![3][0]!] }),
  );
  const times = nodes.map(([name, op], i) => ({ node: name, op, microseconds: 2 ** i }));
  return timesByLayer(plan, conversion, optimized, times);
}

describe('timesByLayer', () => {
  test('renamed kernels belong to their layers, layout changes to nobody', () => {
    const { layers, overhead } = timesOf([
      ['Transpose', 'Transpose', ['x'], ['t']],
      ['conv1_token_3', 'QLinearConv', ['t'], ['r1_token_2']],
      ['_token_9', 'NhwcMaxPool', ['r1_token_2'], ['p_token_8']],
      ['c2_nchwc', 'Conv', ['p_token_8'], ['reorder']],
      ['ReorderOutput', 'ReorderOutput', ['reorder'], ['c']],
      ['', 'QLinearAdd', ['c'], ['a_q']],
    ]);
    assert.deepEqual(Object.fromEntries(layers), { conv1: 2, pool: 4, conv2: 8, add: 32 });
    assert.equal(overhead, 1 + 16);
  });

  test('conversions around one layer left in float are its own, those between layers are not', () => {
    const { layers, overhead } = timesOf([
      ['x_Q', 'QuantizeLinear', ['x', 's', 'z'], ['x_q']],
      ['x_DQ', 'DequantizeLinear', ['x_q', 's', 'z'], ['x_dq']],
      ['conv1', 'Conv', ['x_dq'], ['r1']],
      ['r1_Q', 'QuantizeLinear', ['r1', 's', 'z'], ['r1_q']],
      ['pool', 'MaxPool', ['r1_q'], ['p_q']],
      ['p_DQ', 'DequantizeLinear', ['p_q', 's', 'z'], ['p_dq']],
      ['conv2', 'Conv', ['p_dq'], ['c2']],
      ['add', 'Add', ['c2', 'p_dq'], ['y']],
    ]);
    assert.deepEqual(Object.fromEntries(layers), { conv1: 2 + 4 + 8, pool: 16, conv2: 64, add: 128 });
    // The model's input belongs to no layer, and what two layers read to neither.
    assert.equal(overhead, 1 + 32);
  });

  test('no time is lost or counted twice', () => {
    const { layers, overhead } = timesOf([
      ['conv1', 'QLinearConv', ['x'], ['r1_q']],
      ['unheard-of', 'Mystery', ['r1_q'], ['m']],
      ['fused fc', 'FusedGemm', ['m'], ['y']],
      ['add/MatMulScaleFusion/', 'FusedMatMul', ['y'], ['k']],
    ]);
    assert.equal([...layers.values()].reduce((a, b) => a + b, 0) + overhead, 1 + 2 + 4 + 8);
    assert.equal(layers.get('add'), 8);
    assert.equal(layers.get('fc'), 4);
  });
});
