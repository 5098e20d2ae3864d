/** All tensors that a model file holds or names, wherever they stand. */

import { elementCount, bytesPerElement } from '../tensor';
import { subgraphs } from './attributes';
import { resolveExternal } from './externalData';
import { TensorProto_DataLocation, type GraphProto, type NodeProto, type TensorProto } from './generated/onnx_pb';
import { graphOf, type OnnxModel } from './model';
import { dimsOf, elementTypeOf } from './tensorProto';

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === TensorProto_DataLocation.EXTERNAL;
}

/** Initializers of the graph, tensors of its `Constant` nodes, and those of its subgraphs. */
export function initializersOf(graph: GraphProto): TensorProto[] {
  return [...graph.initializer, ...attributeTensors(graph.node)];
}

function attributeTensors(nodes: readonly NodeProto[]): TensorProto[] {
  return nodes.flatMap((node) => [
    ...node.attribute.flatMap((a) => (a.t === undefined ? a.tensors : [a.t])),
    ...subgraphs(node).flatMap(initializersOf),
  ]);
}

/**
 * The files of a model's external data. The runtime follows their locations without our checks, so
 * they are made here before it sees the model.
 * @throws `external-data-unsafe`, `external-data-missing`, `model-invalid`
 */
export function externalFiles(model: OnnxModel): string[] {
  const files = new Set<string>();
  const inFunctions = model.proto.functions.flatMap(({ node }) => attributeTensors(node));
  for (const tensor of [...initializersOf(graphOf(model)), ...inFunctions]) {
    if (!isExternal(tensor)) continue;
    const type = elementTypeOf(tensor.dataType);
    const bytes = type === undefined ? undefined : elementCount(dimsOf(tensor)) * bytesPerElement(type);
    files.add(resolveExternal(tensor, bytes, model.folder).file);
  }
  return [...files].sort();
}
