import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { chain, chainInput } from '../convert/fixtures/chain';
import { quantize, type Quantized } from '../convert/fixtures/quantized';
import { random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { graphOf } from '../onnx/model';
import { withOutputs } from '../runtime/inspect';
import { openSession, type Feeds } from '../runtime/session';
import { buildShadow } from './shadow';
import { PART, ShadowParts, shadowsOf } from './shadowParts';

const SPEC = { channels: 2, side: 3 };
/** With their sums two full parts and one that is not. */
const LAYERS = 2 * PART - 10;

describe('a shadow in parts', () => {
  let made: Quantized;
  let feeds: Feeds;

  before(async () => {
    feeds = { input: randomTensor('float32', chainInput(SPEC), random(2), 2) };
    made = await quantize(chain(LAYERS, SPEC), [feeds]);
  });

  test('computes of every layer what one session of all computes', async () => {
    const { plan, conversion, tensors, model } = made;
    const layers = plan.layers.filter((layer) => layer.quantize);
    const whole = buildShadow(new Graph(conversion.model), conversion, tensors, layers)!;
    const names = graphOf(model).node.flatMap((node) => node.output);
    const fp32 = await openSession(withOutputs(model, names), { threads: 1 });
    const session = await openSession(whole.model, { threads: 1 });
    const parts = await ShadowParts.open(shadowsOf(new Graph(conversion.model), conversion, tensors, layers));
    try {
      const tensorsOf = { ...feeds, ...(await fp32.run(feeds)) };
      const wanted = await session.run(Object.fromEntries(whole.inputs.map((name) => [name, tensorsOf[name]!])));
      const seen: string[] = [];
      await parts.run(
        (name) => tensorsOf[name]!,
        (layer, taps, outputs) => {
          seen.push(layer);
          const expected = whole.taps.get(layer)!;
          assert.deepEqual(
            taps.map(({ tensor, int8 }) => [tensor, outputs[int8]?.data]),
            expected.map(({ tensor, int8 }) => [tensor, wanted[int8]?.data]),
          );
        },
      );
      assert.deepEqual(seen, [...whole.taps.keys()]);
    } finally {
      await Promise.all([fp32.close(), session.close(), parts.close()]);
    }
  });

  test('has as many nodes for twice the layers in twice the parts, and none in a part more than before', () => {
    const { plan, conversion, tensors } = made;
    const layers = plan.layers.filter((layer) => layer.quantize);
    const graph = new Graph(conversion.model);
    const sizes = shadowsOf(graph, conversion, tensors, layers).map(({ model }) => graphOf(model).node.length);
    const one = shadowsOf(graph, conversion, tensors, layers.slice(0, PART)).map(
      ({ model }) => graphOf(model).node.length,
    );
    assert.equal(one.length, 1);
    assert.equal(sizes.length, Math.ceil(layers.length / PART));
    // A part of sums has more nodes than one of convolutions alone; never twice as many.
    for (const size of sizes) assert.ok(size < 2 * one[0]!, `${size}`);
  });
});
