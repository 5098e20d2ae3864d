/**
 * Weights in int8, everything else in float: a DequantizeLinear stands before each layer, which
 * computes as it did. A quarter of the size, and no error from activations.
 */

import type { NodeProto } from '../onnx/generated/onnx_pb';
import type { WeightPlan } from '../plan/types';
import { allocate, makeTensor } from '../tensor';
import type { Construction } from './construction';
import type { QuantizedWeight } from './types';
import { productOrder, quantizeWeight, weightParams } from './weights';

/** Obeys the weight-only layers of a plan. A weight that several of them read in the same way is stored once. */
export function convertWeightOnly(construction: Construction): void {
  const { editor, convention, weights } = construction;
  const dequantized = new Map<string, string>();
  const convert = (name: string, original: NodeProto, weightPlan: WeightPlan): QuantizedWeight => {
    const { tensor, type, axis } = weightPlan;
    const node = construction.nodeOf(original);
    const weight = construction.constantOf(tensor);
    const params = weightParams(weight, weightPlan, { convention, order: productOrder(node) });
    const key = JSON.stringify(weightPlan);
    let float = dequantized.get(key);
    if (float === undefined) {
      float = editor.freshName(`${tensor}_dequantized`);
      dequantized.set(key, float);
      const dims = axis === null ? [] : [params.scales.length];
      const zeros = allocate(type, params.zeroPoints.length);
      params.zeroPoints.forEach((zero, i) => (zeros[i] = zero));
      editor.insertFirst({
        op: 'DequantizeLinear',
        name: editor.freshName(`${tensor}_DequantizeLinear`),
        inputs: [
          editor.addInitializer(`${tensor}_quantized`, quantizeWeight(weight, weightPlan, params)),
          editor.addInitializer(`${tensor}_scale`, makeTensor('float32', dims, params.scales)),
          editor.addInitializer(`${tensor}_zero_point`, { type, dims, data: zeros }),
        ],
        outputs: [float],
        attributes: axis === null ? {} : { axis },
      });
    }
    node.input[weightPlan.input] = float;
    return { layer: name, tensor, type, ...params };
  };
  for (const { name, node, weight, recurrence } of construction.layersOf('weight-only')) {
    if (weight === null) continue;
    const second = recurrence === null ? {} : { recurrence: convert(name, node, recurrence) };
    weights.set(name, { ...convert(name, node, weight), ...second });
  }
}
