/**
 * The QOperator format: QLinearConv and its like instead of Q/DQ pairs. onnxruntime's own optimizer
 * makes it, so the stored model is what the runtime would compute anyway; at level `extended` it
 * fuses the pairs but changes no layout, so the model is bound to no kind of CPU.
 */

import { canonicalDomain, graphOf, shallow, type OnnxModel } from '../onnx/model';
import { walkGraphs } from '../normalize/edit';
import { optimizeModel } from '../runtime/inspect';
import type { Conversion } from './types';

/**
 * The QOperator form of a QDQ conversion. Activations whose integer tensor the optimizer merged away
 * are no longer listed.
 * @throws `runtime-rejected`, `custom-op`
 */
export async function toQOperator(conversion: Conversion): Promise<Conversion> {
  const model = restore(await optimizeModel(conversion.model, 'extended'), conversion.model);
  const graph = graphOf(model);
  const made = new Set([...graph.node.flatMap((node) => node.output), ...graph.input.map((input) => input.name)]);
  const activations = new Map([...conversion.activations].filter(([, { integer }]) => made.has(integer)));
  return { ...conversion, model, activations };
}

/** The runtime writes graph and operators only, and imports every domain it knows. */
function restore(optimized: OnnxModel, original: OnnxModel): OnnxModel {
  const { proto } = optimized;
  const source = original.proto;
  const used = new Set(['']);
  for (const graph of walkGraphs(graphOf(optimized)))
    for (const node of graph.node) used.add(canonicalDomain(node.domain));
  const imports = proto.opsetImport.filter((entry) => used.has(canonicalDomain(entry.domain)));
  return {
    ...optimized,
    proto: shallow(source, {
      irVersion: proto.irVersion,
      opsetImport: imports,
      functions: [],
      graph: shallow(graphOf(optimized), { name: graphOf(original).name, docString: graphOf(original).docString }),
    }),
  };
}
