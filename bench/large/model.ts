/** An ONNX model of as many layers as one wants: blocks of 1×1 convolutions with a residual, each in a scope. */

import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  type NodeProto,
} from '../../src/core/onnx/generated/onnx_pb';
import { makeNode, type OnnxModel } from '../../src/core/onnx/model';
import { makeTensorProto } from '../../src/core/onnx/tensorProto';
import { valueInfo } from '../../src/core/runtime/inspect';
import { makeTensor } from '../../src/core/tensor';

const CHANNELS = 8;
const SIDE = 8;
/** Layers of a block: convolutions, then the sum with what came in. */
const BLOCK = 5;
const BLOCKS_A_STAGE = 25;

/** Park and Miller's generator: the same model every time. */
export function* noise(seed: number): Generator<number, never, undefined> {
  for (let state = seed; ;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647 - 0.5;
  }
}

export function largeModel(layers: number): OnnxModel {
  const random = noise(1);
  const shape = [1, CHANNELS, SIDE, SIDE];
  const nodes: NodeProto[] = [];
  const weights = new Array<ReturnType<typeof makeTensorProto>>();
  let [tensor, entry] = ['input', 'input'];
  for (let layer = 0; layer < layers; layer += 1) {
    const block = Math.floor(layer / BLOCK);
    const scope = `/stage${Math.floor(block / BLOCKS_A_STAGE)}/${block % BLOCKS_A_STAGE}`;
    const within = layer % BLOCK;
    if (within === 0) entry = tensor;
    if (within === BLOCK - 1) {
      const name = `${scope}/Add`;
      nodes.push(makeNode({ op: 'Add', name, inputs: [tensor, entry], outputs: [name] }));
      tensor = name;
      continue;
    }
    const name = `${scope}/conv${within}/Conv`;
    const weight = `${name}.weight`;
    // Residual branches stay small, so that a thousand of them do not overflow.
    const spread = within === BLOCK - 2 ? 0.05 : 2 / Math.sqrt(CHANNELS);
    const values = Float32Array.from({ length: CHANNELS * CHANNELS }, () => spread * random.next().value);
    // Every 50th layer has an outlier, which makes it a bad one.
    if (layer % 50 === 17) values[0] = 20 * spread;
    weights.push(makeTensorProto(weight, makeTensor('float32', [CHANNELS, CHANNELS, 1, 1], values)));
    nodes.push(makeNode({ op: 'Conv', name, inputs: [tensor, weight], outputs: [name] }));
    tensor = name;
    if (within === BLOCK - 2) continue;
    nodes.push(makeNode({ op: 'Relu', name: `${name}.relu`, inputs: [name], outputs: [`${name}.relu`] }));
    tensor = `${name}.relu`;
  }
  const last = nodes.at(-1)!;
  last.output[0] = 'output';
  const graph = create(GraphProtoSchema, {
    name: 'large',
    node: nodes,
    initializer: weights,
    input: [valueInfo('input', 'float32', shape)],
    output: [valueInfo('output', 'float32', shape)],
  });
  const opsetImport = [create(OperatorSetIdProtoSchema, { domain: '', version: 13n })];
  return { proto: create(ModelProtoSchema, { irVersion: 8n, producerName: 'quantscope bench', opsetImport, graph }) };
}
