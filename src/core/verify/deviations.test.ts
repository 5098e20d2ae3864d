import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLOAT_LAYERS, type FloatLayers } from '../convert/fixtures/floatLayers';
import { outputsAt, quantize, type Quantized } from '../convert/fixtures/quantized';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph } from '../onnx/graph';
import { cloneModel, graphOf, type OnnxModel } from '../onnx/model';
import { optimizeModel } from '../runtime/inspect';
import { toFloat32, type Tensor } from '../tensor';
import { assertFloatKept, deviations, type Deviation } from './deviations';

const quantized = ({ model, samples, excluded }: FloatLayers, settings = {}): Promise<Quantized> =>
  quantize(model, samples, { ...settings, layers: excluded.map((select) => ({ select, quantize: false })) });

async function deviationsOf({ conversion, plan, model }: Quantized): Promise<Deviation[]> {
  return deviations(plan, conversion, new Graph(await optimizeModel(conversion.model, 'extended')), new Graph(model));
}

function decibels(reference: Tensor, approximation: Tensor): number {
  const [x, y] = [toFloat32(reference), toFloat32(approximation)];
  let [signal, error] = [0, 0];
  x.forEach((value, i) => {
    signal += value ** 2;
    error += (value - y[i]!) ** 2;
  });
  return error === 0 ? Infinity : 10 * Math.log10(signal / error);
}

/** The model as it was written before: float layers read the DequantizeLinear that the int8 layers read. */
function withoutBarriers(model: OnnxModel): OnnxModel {
  const copy = cloneModel(model);
  const graph = graphOf(copy);
  const scalar = new Map(graph.node.filter((n) => n.opType === 'QuantizeLinear').map((n) => [n.output[0], n.input]));
  const barred = new Map<string, string>();
  graph.node = graph.node.flatMap((node): NodeProto[] => {
    if (node.name.endsWith('_barred')) {
      barred.set(node.output[0]!, node.input[0]!);
      return [];
    }
    const parameters = scalar.get(node.input[0]);
    if (node.opType === 'DequantizeLinear' && parameters !== undefined) {
      node.input = [node.input[0]!, ...parameters.slice(1)];
      node.attribute = [];
    }
    return [node];
  });
  for (const node of graph.node) node.input = node.input.map((name) => barred.get(name) ?? name);
  return copy;
}

describe('what is planned float is float, and what is planned int8 is int8', () => {
  for (const make of FLOAT_LAYERS) {
    const graph = make();
    test(`${graph.title}: the runtime computes what the written model says, at every level`, async () => {
      const made = await quantized(graph);
      assert.deepEqual(await deviationsOf(made), []);
      const [feeds] = graph.samples;
      const wanted = await outputsAt(made.conversion.model, feeds!, 'disabled');
      for (const level of ['basic', 'extended', 'all'] as const) {
        const found = await outputsAt(made.conversion.model, feeds!, level);
        for (const [name, tensor] of Object.entries(wanted)) {
          const sqnr = decibels(tensor, found[name]!);
          // Sums of float32 in another order move a value by a step now and then; rounded weights leave 30 to 45 dB.
          assert.ok(sqnr > 50, `${level}: ${name} is ${sqnr.toFixed(1)} dB from what the model says`);
        }
      }
      const taken = { ...made, conversion: { ...made.conversion, model: withoutBarriers(made.conversion.model) } };
      const fault = await deviationsOf(taken);
      assert.ok(
        fault.some(({ planned }) => planned === 'float'),
        'without barriers the runtime takes some for int8',
      );
      assert.throws(
        () => {
          assertFloatKept(fault);
        },
        { code: 'float-not-kept' },
      );
    });
  }

  test('a layer whose weights alone are int8 computes in float between int8 layers', async () => {
    const { model, samples, excluded } = FLOAT_LAYERS[1]!();
    const layers = excluded.map((select) => ({ select, mode: 'weight-only' as const }));
    const made = await quantize(model, samples, { layers });
    assert.ok(made.plan.layers.some(({ quantize: int8, mode }) => int8 && mode === 'weight-only'));
    assert.deepEqual(await deviationsOf(made), []);
    const taken = { ...made, conversion: { ...made.conversion, model: withoutBarriers(made.conversion.model) } };
    assert.ok((await deviationsOf(taken)).length > 0);
  });

  test('the format qoperator writes no int8 kernel for a float layer', async () => {
    for (const make of FLOAT_LAYERS.slice(1, 2)) {
      assert.deepEqual(await deviationsOf(await quantized(make(), { format: 'qoperator' })), []);
    }
  });
});
