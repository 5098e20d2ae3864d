/**
 * Between an int8 layer and a float one that the runtime would take for int8 stands a node that hands every value on
 * unchanged, so that no optimizer sees the DequantizeLinear beside the float layer: the larger of the value and minus
 * infinity. No version of onnxruntime removes it or moves Q and DQ through it; a Clip, which is as fast, some look
 * through.
 */

import type { NodeSpec } from '../onnx/model';
import { biasAddOf } from '../plan/layers';
import { isStatic } from '../plan/types';
import { makeTensor, type Tensor } from '../tensor';
import type { Construction } from './construction';
import { computesInFloat } from './exposure';

export const BARRIER_FLOOR: Tensor = makeTensor('float32', [], Float32Array.of(-Infinity));

/** @param floor names {@link BARRIER_FLOOR} among the initializers; `output` names the node too */
export function barrier(input: string, floor: string, output: string): NodeSpec {
  return { op: 'Max', name: output, inputs: [input, floor], outputs: [output] };
}

/** One barrier for all layers that need one behind the same tensor. */
export function raiseBarriers(construction: Construction): void {
  const { plan, editor, exposure } = construction;
  const makers = new Map(plan.layers.filter(isStatic).flatMap((layer) => layer.outputs.map((name) => [name, layer])));
  const behind = new Map<string, string>();
  for (const layer of plan.layers.filter(computesInFloat)) {
    const tensor = exposure.barredInput(layer);
    const maker = tensor === undefined ? undefined : makers.get(tensor);
    if (tensor === undefined || maker === undefined || exposure.channelsOf(tensor) !== undefined) continue;
    let barred = behind.get(tensor);
    if (barred === undefined) {
      barred = editor.freshName(`${tensor}_barred`);
      behind.set(tensor, barred);
      const floor = editor.addInitializer(`${barred}_floor`, BARRIER_FLOOR);
      editor.insertAfter(construction.nodeOf(biasAddOf(maker) ?? maker.node), barrier(tensor, floor, barred));
    }
    const node = construction.nodeOf(layer.node);
    node.input = node.input.map((name) => (name === tensor ? barred : name));
  }
}
