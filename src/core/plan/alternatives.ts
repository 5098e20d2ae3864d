/** Which backends would have an int8 kernel for a node. */

import type { BackendId } from '../../shared/recipe';
import { BACKENDS } from '../backends/backends';
import type { NodeProto } from '../onnx/generated/onnx_pb';
import { opKey, type Graph } from '../onnx/graph';
import type { TensorInfo } from '../runtime/session';
import { CONDITIONS } from './conditions';

/** In the order of the table, which begins with those that run on this machine. */
export function backendsFor(
  node: NodeProto,
  graph: Graph,
  tensors: ReadonlyMap<string, TensorInfo>,
): readonly BackendId[] {
  const key = opKey(node);
  return Object.values(BACKENDS)
    .filter(({ ops }) => {
      const rule = Object.hasOwn(ops, key) ? ops[key] : undefined;
      if (rule === undefined) return false;
      const conditions = rule.conditions ?? [];
      return conditions.every((condition) => CONDITIONS[condition].holds({ node, rule, graph, tensors }));
    })
    .map(({ id }) => id);
}
