/** Operators that hand their input on unchanged. */

import type { NodeProto } from './generated/onnx_pb';
import { opKey, type Graph } from './graph';

/**
 * Identity, and Dropout outside training. The runtime removes such nodes, and the tensor before them goes by the name
 * after.
 */
export function isNoOp(graph: Graph, node: NodeProto): boolean {
  const op = opKey(node);
  // Since opset 12 an input says whether Dropout trains; before, from opset 7 on, it never does.
  const training = node.input[2] ?? '';
  return op === 'Identity' || (op === 'Dropout' && (training === '' || graph.constant(training)?.data[0] === 0));
}
