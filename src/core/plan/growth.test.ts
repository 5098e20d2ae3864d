/** What planning and converting cost as a model grows, counted in looks at layers and tensors, which no machine disturbs. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKENDS } from '../backends/backends';
import { chain } from '../convert/fixtures/chain';
import { planOf } from '../convert/fixtures/quantized';
import { convert } from '../convert/convert';
import { buildModel, f32, node } from '../normalize/fixtures/models';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, type Use } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import { inferTensors } from '../runtime/inspect';
import { draftLayers, settleIslands } from './layers';

/** Twice the layers may be twice the work, and a little for the ends. */
function assertLinear(once: number, twice: number): void {
  assert.ok(once > 0 && twice <= 2.2 * once, `${once} looks, then ${twice}`);
}

class CountingGraph extends Graph {
  looks = 0;

  override uses(tensor: string): readonly Use[] {
    this.looks++;
    return super.uses(tensor);
  }
}

/** Pools that nothing reads as integers: the last of them falls first, and each takes the one before it along. */
function pools(count: number): OnnxModel {
  const nodes = [
    node('Conv', ['x', 'w'], ['t0']),
    ...Array.from({ length: count }, (_, i) => node('MaxPool', [`t${i}`], [`t${i + 1}`], { kernel_shape: [1, 1] })),
    node('Tanh', [`t${count}`], ['y']),
  ];
  const w = f32([2, 2, 1, 1], [1, 2, 3, 4]);
  return buildModel({ opset: 13, inputs: { x: [1, 2, 3, 3] }, constants: { w }, nodes, outputs: ['y'] });
}

test('islands fall in as many looks as there are layers, also where each takes along the one before it', async () => {
  const looksAt = async (count: number): Promise<number> => {
    const model = pools(count);
    const graph = new CountingGraph(model);
    const tensors = await inferTensors(model);
    const input = {
      graph,
      tensors,
      backend: BACKENDS['ort-cpu'],
      mode: 'static',
      overrides: new Map(),
      concessions: new Map(),
      shapeNodes: new Set<NodeProto>(),
    } as const;
    const drafts = draftLayers({ ...input, unfoldable: new Set() });
    graph.looks = 0;
    settleIslands(drafts, graph);
    const fallen = drafts.filter(({ node: { opType }, quantize }) => opType === 'MaxPool' && !quantize);
    assert.equal(fallen.length, count);
    return graph.looks;
  };
  assertLinear(await looksAt(50), await looksAt(100));
});

test('converting looks at the inputs of each layer a fixed number of times', async () => {
  const spec = { channels: 2, side: 3 };
  const looksAt = async (count: number): Promise<number> => {
    const { model, plan } = await planOf(chain(count, spec));
    let looks = 0;
    const layers = plan.layers.map((layer) =>
      Object.defineProperty({ ...layer }, 'inputs', {
        get: () => {
          looks++;
          return layer.inputs;
        },
      }),
    );
    const ranges = new Map([...plan.activations.keys()].map((name) => [name, { min: -1, max: 1 }]));
    const { convention } = BACKENDS['ort-cpu'];
    await convert(model, { ...plan, layers }, { ranges, convention, backend: 'ort-cpu', source: '', version: '' });
    return looks;
  };
  assertLinear(await looksAt(40), await looksAt(80));
});
