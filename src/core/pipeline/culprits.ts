/** The job that finds where the error comes from: what each layer contributes, and of what kind its error is. */

import * as path from 'node:path';
import { QuantscopeError } from '../../shared/errors';
import { preprocessOf } from '../../shared/recipe';
import type { Report } from '../../shared/report';
import type { Culprits, CulpritsInput } from '../../shared/verdicts';
import { fewSamples } from '../causes/causes';
import { extremesOf } from '../causes/extremes';
import { layerCauses, measuredActivations } from '../causes/layerCauses';
import { preprocessingCauses } from '../causes/preprocessing';
import { onlyFloat, onlyQuantized } from '../contribution/layerVariants';
import { pairOf } from '../contribution/pair';
import { splitErrors } from '../contribution/split';
import { sweep } from '../contribution/sweep';
import { judge, type Evidence } from '../contribution/verdict';
import { openDataset } from '../data/dataset';
import { writeFinding } from '../findingFiles';
import { OutputParts } from '../parts/outputParts';
import type { Concessions, PlannedLayer } from '../plan/types';
import { assertRepeats } from '../reference/repeat';
import { readReport } from '../reportFile';
import { outputsOf } from '../runtime/outputs';
import { calibrateTrial } from './calibration';
import { onnxOnly } from './onnxOnly';
import { prepare } from './prepare';
import { rangesOf } from './ranges';
import type { JobContext } from './types';
import { comparedOf, sqnrOf } from '../../shared/measured';

const DEFAULT_SAMPLES = 100;
const SWEEP_SAMPLES = 16;
const DEFAULT_THRESHOLD = 20;

/**
 * Writes `culprits.json` beside the report.
 * @throws `plan-impossible` for a mode that is not static; `data-invalid` where the model has changed since
 */
export async function findCulprits(job: CulpritsInput, context: JobContext = {}): Promise<Culprits> {
  const report = await readReport(job.report);
  const { recipe } = report;
  onnxOnly(report.framework, 'Culprits');
  if (report.mode !== 'static') {
    throw new QuantscopeError('plan-impossible', 'Culprits are found for statically quantized models.', {
      hint: 'Quantize with `mode: static`.',
    });
  }
  const folder = path.dirname(path.resolve(job.report));
  const outDir = path.basename(folder) === 'runs' ? path.dirname(folder) : folder;
  const { baseDir } = job;
  const quiet = { ...context, onProgress: () => undefined };
  const prepared = await prepare({ ...recipe, model: report.model.path }, baseDir, quiet);
  if (prepared.describe.sha256 !== report.model.sha256) {
    throw new QuantscopeError('data-invalid', 'The model has changed since this run.', { hint: 'Quantize it again.' });
  }
  const { calibration } = recipe;
  if (calibration === undefined) throw new QuantscopeError('data-empty', 'The recipe names no calibration data.');
  const options = { baseDir, preprocess: preprocessOf(recipe.preprocess), trusted: context.trusted === true };
  const seed = calibration.seed === undefined ? {} : { seed: calibration.seed };
  const count = calibration.samples ?? DEFAULT_SAMPLES;
  const dataset = await openDataset(calibration.data, prepared.inputs, { ...options, ...seed, samples: count });
  const { stats, means } = await calibrateTrial(prepared, dataset, recipe, outDir, quiet);
  const corrected = calibration.biasCorrection ?? prepared.backend.biasCorrection;
  const { ranges } = rangesOf(prepared, stats);
  const pair = await pairOf(prepared, ranges, corrected ? means : new Map(), rejectedIn(report));
  const samples = await openDataset(calibration.data, prepared.inputs, {
    ...options,
    ...seed,
    samples: Math.min(count, job.samples ?? SWEEP_SAMPLES),
  });

  await assertRepeats(pair.fp32Model, samples, quiet);

  const layers = new Map(pair.plan.layers.flatMap((layer) => (layer.quantize ? [[layer.name, layer] as const] : [])));
  const pick = (names: readonly string[]): PlannedLayer[] => names.map((name) => layers.get(name)!);
  const started = performance.now();
  const { outputs: references, milliseconds: onePass } = await outputsOf(pair.fp32Model, samples, quiet);
  const parts = new OutputParts(pair.fp32, prepared.tensors, references);
  const common = { ...context, parts, tensors: prepared.tensors, samples, layers: [...layers.keys()] };
  const only = await sweep({
    ...common,
    base: pair.fp32Model,
    graph: pair.fp32,
    build: (names) => onlyQuantized(pair, pick(names)),
  });
  const without = await sweep({
    ...common,
    base: pair.int8Model,
    graph: pair.int8,
    references,
    build: (names) => onlyFloat(pair, pick(names)),
  });
  const splits = await splitErrors({ ...context, pair, layers: [...layers.values()], samples });
  const outlook = await extremesOf(prepared.model, measuredActivations(prepared), dataset, quiet);
  const causes = layerCauses({ prepared, stats, report, extremes: outlook });
  const evidence = [...layers.values()].map((layer) => evidenceOf(layer, report, only.layers, without.layers));
  const total = without.baseline.sqnr;
  const judged = judge(evidence, total, job.threshold ?? DEFAULT_THRESHOLD);
  const culprits: Culprits = {
    version: 1,
    report: report.created,
    samples: samples.count,
    sqnr: total,
    cost: {
      passes: (only.milliseconds + without.milliseconds) / onePass,
      layers: layers.size,
      seconds: (performance.now() - started) / 1000,
    },
    causes: [...(await preprocessingCauses(prepared, recipe, baseDir, context)), ...fewSamples(outlook)],
    layers: judged.map((verdict) => ({
      ...verdict,
      split: splits.get(verdict.layer) ?? null,
      causes: causes.get(verdict.layer) ?? [],
    })),
  };
  await writeFinding(outDir, 'culprits', culprits);
  return culprits;
}

/** Layers that kernels rejected when they ran, which converting alone does not tell. */
function rejectedIn({ layers }: Report): Concessions {
  return new Map(
    layers.flatMap(({ name, reason }) => (reason === 'runtime-rejected' ? [[name, 'runtime-rejected'] as const] : [])),
  );
}

function evidenceOf(
  layer: PlannedLayer,
  report: Report,
  only: ReadonlyMap<string, { readonly sqnr: number | null }>,
  without: ReadonlyMap<string, { readonly sqnr: number | null }>,
): Evidence {
  const row = report.layers.find(({ name }) => name === layer.name);
  const makers = report.layers.filter(({ tensors }) =>
    tensors.some(({ name, role }) => role === 'output' && layer.inputs.includes(name)),
  );
  const incoming = makers.flatMap(({ accumulated }) => sqnrOf(accumulated) ?? []);
  const worst = Math.min(...incoming);
  return {
    layer: layer.name,
    only: only.get(layer.name)?.sqnr ?? null,
    without: without.get(layer.name)?.sqnr ?? null,
    local: comparedOf(row?.local)?.sqnr,
    accumulated: comparedOf(row?.accumulated)?.sqnr,
    incoming: incoming.length === 0 ? undefined : Number.isFinite(worst) ? worst : null,
  };
}
