/** The naive way to a layer's contribution: a model for it alone, made by the converter, beside the fp32 model. */

import { rangeOf } from '../../src/core/calibrate/observers';
import type { Range } from '../../src/core/calibrate/qparams';
import type { Pair } from '../../src/core/contribution/layerVariants';
import { toQdq } from '../../src/core/convert/convert';
import type { Conversion } from '../../src/core/convert/types';
import { openDataset } from '../../src/core/data/dataset';
import type { Dataset } from '../../src/core/data/types';
import { Graph } from '../../src/core/onnx/graph';
import type { OnnxModel } from '../../src/core/onnx/model';
import { calibrate, type Calibration } from '../../src/core/pipeline/calibration';
import { prepare, type Prepared } from '../../src/core/pipeline/prepare';
import { OutputParts, type Outputs } from '../../src/core/parts/outputParts';
import { UnitErrors } from '../../src/core/parts/partErrors';
import type { Plan, PlannedLayer } from '../../src/core/plan/types';
import { openSession } from '../../src/core/runtime/session';
import type { Tensor } from '../../src/core/tensor';
import type { Preprocess, Recipe } from '../../src/shared/recipe';
import { comparedOf } from '../../src/shared/measured';

/**
 * A tensor that is read out cannot be fused away, and a fused kernel adds in another order. Now and then
 * that flips the rounding of one value to an integer, so the exact comparison does without such fusions.
 */
export const SAME_ORDER = {
  'optimization.disable_specified_optimizers': 'ConvActivationFusion;ConvAddActivationFusion;NchwcTransformer',
};

export interface DataOf {
  readonly files: string;
  readonly samples: number;
  readonly preprocess?: Preprocess;
}

export interface Case {
  readonly prepared: Prepared;
  readonly dataset: Dataset;
  readonly calibration: Calibration;
  readonly conversion: Conversion;
  readonly pair: Pair;
  readonly layers: readonly PlannedLayer[];
}

/** @param folder for the calibration */
export async function caseOf(file: string, data: DataOf, folder: string): Promise<Case> {
  const { files, samples, preprocess = {} } = data;
  const recipe: Recipe = { model: file, calibration: { data: files, samples } };
  const prepared = await prepare(recipe, '/', {});
  const dataset = await openDataset(files, prepared.inputs, { baseDir: '/', preprocess, samples });
  const calibration = await calibrate(prepared, dataset, recipe, folder, {});
  const { plan, backend, model, graph, tensors } = prepared;
  const ranges = new Map<string, Range>();
  for (const activation of plan.activations.values()) {
    const stats = calibration.stats.get(activation.tensor);
    const spec = { bits: 8, ...activation };
    if (stats !== undefined) ranges.set(activation.tensor, rangeOf(stats, activation, spec));
  }
  const conversion = toQdq(model, plan, { ranges, convention: backend.convention, means: calibration.means });
  const int8Model = conversion.model;
  const pair = { plan, conversion, fp32Model: model, int8Model, fp32: graph, int8: new Graph(int8Model), tensors };
  return { prepared, dataset, calibration, conversion, pair, layers: plan.layers.filter((l) => l.quantize) };
}

/** The converter's own model for a plan that quantizes some layers only, with the scales of the full plan. */
export function convertOnly(
  { prepared, calibration, conversion }: Case,
  keep: (layer: PlannedLayer) => boolean,
): OnnxModel {
  const { plan, backend, model } = prepared;
  const layers = plan.layers.map((l) => (l.quantize && !keep(l) ? { ...l, quantize: false } : l));
  const touched = new Set(layers.flatMap((l) => (l.quantize ? [...l.inputs, ...l.outputs] : [])));
  const activations = new Map([...plan.activations].filter(([tensor]) => touched.has(tensor)));
  const ranges = new Map(
    [...activations.keys()].flatMap((tensor) => {
      const made = conversion.activations.get(tensor);
      return made === undefined ? [] : [[tensor, made.range] as const];
    }),
  );
  const changed: Plan = { ...plan, layers, activations };
  return toQdq(model, changed, { ranges, convention: backend.convention, means: calibration.means }).model;
}

/** What is measured apart at the outputs. */
export function partsOf({ prepared }: Case, references: readonly Outputs[]): OutputParts {
  return new OutputParts(prepared.graph, prepared.tensors, references);
}

export async function naive(
  one: Case,
  model: OnnxModel,
  references: readonly Readonly<Record<string, Tensor>>[],
): Promise<number> {
  const session = await openSession(model, { threads: 1, config: SAME_ORDER });
  const errors = new UnitErrors(partsOf(one, references));
  let ordinal = 0;
  for await (const { id, feeds } of one.dataset.samples()) {
    const outputs = await session.run(feeds);
    errors.add(id, references[ordinal]!, outputs);
    ordinal++;
  }
  await session.close();
  return comparedOf(errors.worst())?.sqnr ?? Infinity;
}

export async function references({ prepared, dataset }: Case): Promise<Record<string, Tensor>[]> {
  const session = await openSession(prepared.model, { threads: 1, config: SAME_ORDER });
  const outputs: Record<string, Tensor>[] = [];
  for await (const { feeds } of dataset.samples()) outputs.push(await session.run(feeds));
  await session.close();
  return outputs;
}
