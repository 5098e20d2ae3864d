/** A look at a model: its layers and what a backend would do with each. No data is needed. */

import * as os from 'node:os';
import type { InspectedLayer, Inspection, TensorShape } from '../../shared/inspection';
import type { InspectInput } from '../../shared/protocol';
import { guessForInputs } from '../data/preprocess';
import type { PlannedLayer } from '../plan/types';
import { identityOf } from './identity';
import { macsOf } from './macs';
import { prepare, type Prepared } from './prepare';
import { quantizedBefore } from './quantizedBefore';
import type { JobContext } from './types';

/** @throws the errors of reading, normalising and planning a model */
export async function inspectModel(input: InspectInput, context: JobContext = {}): Promise<Inspection> {
  const { backend, recipe } = input;
  // Smoothing needs data, and changes the values of weights alone.
  const normalize = { ...recipe?.normalize, smooth: undefined };
  const prepared = await prepare(
    { ...recipe, normalize, model: input.model, ...(backend === undefined ? {} : { backend }) },
    input.baseDir,
    context,
  );
  const layers = prepared.plan.layers.map((layer) => inspectedLayer(layer, prepared));
  const quantize = layers.filter((layer) => layer.decision === 'quantize').length;
  return {
    model: prepared.describe,
    backend: prepared.backend.id,
    guess: guessForInputs(prepared.inputs),
    machine: {
      cpu: os.cpus()[0]?.model ?? os.arch(),
      isa: prepared.isa.target,
      saturates: prepared.isa.saturatesHere,
    },
    layers,
    counts: { quantize, float: layers.length - quantize },
    shapeComputations: prepared.plan.shapeComputations,
    normalization: prepared.steps,
    warnings: quantizedBefore(prepared.original),
  };
}

function inspectedLayer(layer: PlannedLayer, { graph, tensors }: Prepared): InspectedLayer {
  const shapes = (names: readonly string[]): TensorShape[] => names.flatMap((name) => tensors.get(name) ?? []);
  return {
    ...identityOf(layer),
    decision: layer.quantize ? 'quantize' : 'float',
    reason: layer.reason,
    macs: macsOf(layer.node, graph, tensors),
    inputs: shapes(layer.node.input.filter((name) => name !== '' && !graph.isConstant(name))),
    outputs: shapes(layer.outputs),
  };
}
