/** Names for nodes: overrides, reports and the runtime's profile all find a layer by its name. */

import type { GraphProto, NodeProto } from '../onnx/generated/onnx_pb';
import { freshName, walkGraphs } from './edit';

/**
 * Gives every node of the graph (edited) and of its subgraphs a name of its own: `Conv_12` from its
 * type and position where it has none, a suffix where two share one. The same model always gets
 * the same names. Returns the names given.
 */
export function nameNodes(graph: GraphProto): string[] {
  const nodes = [...walkGraphs(graph)].flatMap((g) => g.node);
  const taken = new Set(nodes.map((node) => node.name));
  const seen = new Set<string>();
  const given: string[] = [];
  const rename = (node: NodeProto, base: string): void => {
    node.name = freshName(taken, base);
    given.push(node.name);
  };
  nodes.forEach((node, index) => {
    if (node.name === '') rename(node, `${node.opType}_${index}`);
    else if (seen.has(node.name)) rename(node, node.name);
    seen.add(node.name);
  });
  return given;
}
