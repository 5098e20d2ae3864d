import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { comparedOf } from '../../shared/measured';
import { quantize, type Settings } from '../convert/fixtures/quantized';
import { buildModel, f32, node, random, randomTensor } from '../normalize/fixtures/models';
import { openSession } from '../runtime/session';
import { toFloat32 } from '../tensor';
import { analyze } from './analyze';
import { ErrorAccumulator } from './errors';

const next = random(3);
const weights = () => f32([64, 64], [...toFloat32(randomTensor('float32', [64, 64], next, 0.3))]);

/** Four MatMul with a Relu each, of which the runtime optimizes the last otherwise than those before. */
const model = buildModel({
  opset: 21,
  ir: 10,
  nodes: [0, 1, 2, 3].flatMap((i) => [
    node('MatMul', [i === 0 ? 'x' : `r${i - 1}`, `w${i}`], [i === 3 ? 'y' : `m${i}`]),
    ...(i === 3 ? [] : [node('Relu', [`m${i}`], [`r${i}`])]),
  ]),
  inputs: { x: [2, 64] },
  constants: { w0: weights(), w1: weights(), w2: weights(), w3: weights() },
  outputs: ['y'],
});
const SAMPLES = Array.from({ length: 4 }, (_, i) => ({
  id: `${i}`,
  feeds: { x: randomTensor('float32', [2, 64], next) },
}));
const samples = {
  count: SAMPLES.length,
  async *samples() {
    yield* SAMPLES;
  },
};

const MODES: readonly Settings[] = [
  { mode: 'static' },
  { mode: 'static', format: 'qoperator' },
  { mode: 'dynamic' },
  { mode: 'weight-only' },
];

describe('the error of an output is that of the model as its user opens it, whatever is tapped', () => {
  for (const settings of MODES) {
    test(JSON.stringify(settings), async () => {
      const feeds = SAMPLES.map((sample) => sample.feeds);
      const { model: fp32, conversion, plan, tensors } = await quantize(model, feeds, settings);
      const told = comparedOf((await analyze({ fp32, conversion, plan, tensors, samples })).outputs[0]?.error);
      const errors = new ErrorAccumulator();
      const [float, int8] = [await openSession(fp32), await openSession(conversion.model)];
      for (const { id, feeds: one } of SAMPLES) {
        errors.add(id, toFloat32((await float.run(one))['y']!), toFloat32((await int8.run(one))['y']!));
      }
      await Promise.all([float.close(), int8.close()]);
      const true_ = comparedOf(errors.result());
      assert.ok(told?.sqnr && true_?.sqnr && Math.abs(told.sqnr - true_.sqnr) < 1e-3, `${told?.sqnr}, ${true_?.sqnr}`);
    });
  }
});
