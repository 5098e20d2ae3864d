/**
 * Weights in int8, everything else in float: a DequantizeLinear stands before each layer, which
 * computes as it did. A quarter of the size, and no error from activations.
 */

import { QuantscopeError } from '../../shared/errors';
import type { Convention } from '../calibrate/qparams';
import { Graph } from '../onnx/graph';
import type { OnnxModel } from '../onnx/model';
import type { Plan } from '../plan/types';
import { allocate, makeTensor } from '../tensor';
import { ModelEditor } from './edits';
import type { Conversion, QuantizedWeight } from './types';
import { productOrder, quantizeWeight, weightParams } from './weights';

/** Obeys a plan of mode `weight-only`. A weight that several layers read in the same way is stored once. */
export function convertWeightOnly(model: OnnxModel, plan: Plan, convention: Convention): Conversion {
  const graph = new Graph(model);
  const editor = new ModelEditor(model);
  const nodes = editor.nodesByName();
  const weights = new Map<string, QuantizedWeight>();
  const dequantized = new Map<string, string>();
  for (const { name, quantize, weight: weightPlan } of plan.layers) {
    if (!quantize || weightPlan === null) continue;
    const { tensor, type, axis } = weightPlan;
    const node = nodes.get(name);
    const weight = graph.constant(tensor);
    if (node === undefined || weight === undefined)
      throw new QuantscopeError('internal', `Layer "${name}" or its weight "${tensor}" is missing.`);
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
  return { model: editor.finish(), activations: new Map(), weights, warnings: [] };
}
