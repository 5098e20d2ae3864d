import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLOAT_LAYERS } from '../convert/fixtures/floatLayers';
import { quantize } from '../convert/fixtures/quantized';
import { Graph } from '../onnx/graph';
import { optimizeModel } from '../runtime/inspect';
import { onlyFloat, onlyQuantized, type Pair } from './layerVariants';
import { withVariants } from './variants';

/** A graph of float layers and neighbours, all of them planned int8 where they can be. */
async function pairOf(index: number): Promise<Pair> {
  const { model, samples } = FLOAT_LAYERS[index]!();
  const { plan, conversion, graph, model: fp32Model, tensors } = await quantize(model, samples);
  const int8Model = conversion.model;
  return { plan, conversion, tensors, fp32Model, int8Model, fp32: graph, int8: new Graph(int8Model) };
}

describe('the float side of a variant is float in the runtime', () => {
  for (const [index, ops] of [
    [1, ['Conv']],
    [3, ['Gemm', 'MatMul']],
    [5, ['Add', 'AveragePool', 'Concat', 'LeakyRelu', 'Mul', 'Sigmoid']],
  ] as const) {
    test(`a layer alone kept in float: ${ops.join(', ')}`, async () => {
      const pair = await pairOf(index);
      const layers = pair.plan.layers
        .filter(({ quantize: int8, op }) => int8 && (ops as readonly string[]).includes(op))
        .filter((_, i) => i % 7 === 0);
      const { additions, variants } = onlyFloat(pair, layers);
      const { model } = withVariants(pair.int8Model, pair.int8, additions, [...variants.values()]);
      const optimized = new Graph(await optimizeModel(model, 'extended'));
      const copies = optimized.nodes.filter(({ name }) => layers.some(({ name: own }) => name.endsWith(`:${own}`)));
      const own = copies.filter(({ name }) => name.startsWith('float:'));
      assert.ok(own.length >= Math.min(3, layers.length), `${own.length} of ${layers.length} layers are found`);
      for (const { name, opType, input } of own) {
        assert.ok(!/^Q|Integer/.test(opType), `${name} runs as ${opType}`);
        for (const read of input.slice(1)) {
          const maker = optimized.producer(read);
          const rounded = maker?.opType === 'DequantizeLinear' && optimized.isInitializer(maker.input[0]!);
          assert.ok(!rounded, `${name} reads rounded ${read}`);
        }
      }
    });
  }

  test('all layers but one in float', async () => {
    const pair = await pairOf(1);
    const layers = pair.plan.layers.filter(({ quantize: int8 }) => int8).filter((_, i) => i % 7 === 0);
    const { additions, variants } = onlyQuantized(pair, layers);
    const { model } = withVariants(pair.fp32Model, pair.fp32, additions, [...variants.values()]);
    const optimized = new Graph(await optimizeModel(model, 'extended'));
    const copies = optimized.nodes.filter(({ name }) => name.startsWith('variant:'));
    assert.ok(copies.length > 0);
    for (const { name, opType, input } of copies) {
      assert.ok(!/^Q|Integer/.test(opType), `${name} runs as ${opType}`);
      for (const read of input) assert.notEqual(optimized.producer(read)?.opType, 'DequantizeLinear', name);
    }
  });
});
