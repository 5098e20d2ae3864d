/**
 * Weights in int8, everything else in float: a DequantizeLinear stands before each layer, which
 * computes as it did. A quarter of the size, and no error from activations.
 */

import { allocate, makeTensor } from '../tensor';
import type { Construction } from './construction';
import { productOrder, quantizeWeight, weightParams } from './weights';

/** Obeys the weight-only layers of a plan. A weight that several of them read in the same way is stored once. */
export function convertWeightOnly(construction: Construction): void {
  const { editor, convention, weights } = construction;
  const dequantized = new Map<string, string>();
  for (const { name, node: original, weight: weightPlan } of construction.layersOf('weight-only')) {
    if (weightPlan === null) continue;
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
    weights.set(name, { layer: name, tensor, type, ...params });
  }
}
