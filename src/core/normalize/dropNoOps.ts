/**
 * Identity, and Dropout outside training, taken out of the graph, as the runtime does before it looks for int8 kernels.
 * Left in, they would hide from the plan that the layers on either side of them are neighbours.
 */

import type { NodeProto } from '../onnx/generated/onnx_pb';
import { Graph, outputOf } from '../onnx/graph';
import { graphOf, type OnnxModel } from '../onnx/model';
import { isNoOp } from '../onnx/noOp';

/** Takes them out (the model is edited); returns their names. Those that make an output of the model stay. */
export function dropNoOps(model: OnnxModel): string[] {
  const graph = new Graph(model);
  const proto = graphOf(model);
  const dropped = new Set(graph.nodes.filter((node) => isNoOp(graph, node) && canGo(graph, node)));
  const source = new Map([...dropped].map((node) => [outputOf(node), node.input[0] ?? ''] as const));
  const origin = (name: string): string => {
    let found = name;
    for (let next = source.get(found); next !== undefined; next = source.get(found)) found = next;
    return found;
  };
  proto.node = proto.node.filter((node) => !dropped.has(node));
  for (const node of proto.node) node.input = node.input.map(origin);
  return [...dropped].map(({ name }) => name);
}

/** Nobody but nodes of the main graph reads what it hands on, and nobody reads the mask of a Dropout. */
function canGo(graph: Graph, node: NodeProto): boolean {
  const [output = '', ...others] = node.output;
  if (others.some((name) => name !== '' && (graph.isOutput(name) || graph.uses(name).length > 0))) return false;
  return !graph.isOutput(output) && graph.uses(output).every(({ index }) => index >= 0);
}
