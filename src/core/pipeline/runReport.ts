/** The report of a run put together, of all that it has measured so far. */

import * as os from 'node:os';
import { pendingWarning, type MeasuringStage } from '../../shared/pending';
import { REPORT_VERSION, type LatencyReport, type RandomReport, type Report } from '../../shared/report';
import type { Analysis } from '../analyze/analyze';
import { targetFacts } from '../backends/backends';
import type { Conversion } from '../convert/types';
import type { Dataset, Skipped } from '../data/types';
import { opsetVersion } from '../onnx/model';
import type { WrittenModel } from '../onnx/write';
import { needsCalibration } from '../plan/types';
import { baseOf } from '../reportFile';
import { RUNTIME } from '../runtime/version';
import type { Verification } from '../verify/verify';
import { TOOL } from '../version';
import { NO_ACCURACY, type Accuracy } from './accuracy';
import type { Calibration } from './calibration';
import type { Prepared } from './prepare';
import { countByStatus, layerReports } from './report';
import { samplesRead } from './skipped';
import type { JobContext, QuantizeJob } from './types';

/** What is known once the int8 model is there. */
export interface Converted {
  readonly job: QuantizeJob;
  readonly context: JobContext;
  readonly prepared: Prepared;
  readonly random: RandomReport | null;
  readonly dataset: Dataset | undefined;
  readonly calibration: Calibration;
  readonly conversion: Conversion;
  readonly verification: Verification;
  /** Where the results go. */
  readonly outDir: string;
  /** The int8 model. */
  readonly file: string;
}

/** What takes longer. */
export interface Figures {
  readonly analysis: Analysis | undefined;
  readonly accuracy: Accuracy;
  readonly latency: LatencyReport | null;
  /** Samples that could not be read, of the data that errors and accuracy are measured on. */
  readonly skipped: readonly Skipped[];
  readonly pending: readonly MeasuringStage[];
}

export const nothingMeasured = (pending: readonly MeasuringStage[]): Figures => ({
  analysis: undefined,
  accuracy: NO_ACCURACY,
  latency: null,
  skipped: [],
  pending,
});

export function runReport(
  { job, context, prepared, random, dataset, calibration, conversion, verification, outDir, file }: Converted,
  { analysis, accuracy, latency, skipped, pending }: Figures,
  written: WrittenModel,
  seconds: Report['seconds'],
  warnings: readonly string[],
): Report {
  const { recipe, baseDir } = job;
  const { backend } = prepared;
  // Without a calibration its data are measured on, or nothing reads them.
  const passedOver = recipe.validate === undefined ? skipped : [];
  const read = needsCalibration(prepared.plan)
    ? calibration
    : { samples: samplesRead(dataset?.ids ?? [], passedOver), skipped: passedOver };
  const layers = layerReports({ prepared, conversion, stats: calibration.stats, verification, analysis });
  return {
    version: REPORT_VERSION,
    tool: TOOL,
    created: new Date().toISOString(),
    framework: 'onnx',
    model: prepared.describe,
    quantized: {
      path: file,
      bytes: written.files.reduce((sum, { bytes }) => sum + bytes, 0),
      opset: opsetVersion(conversion.model) ?? 0,
      sha256: written.sha256,
    },
    recipe,
    base: baseOf(outDir, baseDir),
    backend: backend.id,
    target: targetFacts(backend),
    mode: prepared.plan.mode,
    format: prepared.plan.format,
    environment: environmentOf(prepared, context),
    normalization: prepared.steps,
    calibration:
      dataset === undefined
        ? null
        : {
            data: dataset.description,
            synthetic: dataset.kind === 'synthetic',
            samples: read.samples,
            observer: recipe.calibration?.observer ?? backend.observer,
            skipped: read.skipped,
            cached: calibration.cached,
            key: calibration.key,
          },
    layers,
    counts: countByStatus(layers),
    shapeComputations: prepared.plan.shapeComputations,
    outputs: analysis?.outputs ?? [],
    accuracy: accuracy.report,
    ...(random === null ? {} : { random }),
    ...(accuracy.maybeClasses.length === 0 ? {} : { maybeClasses: accuracy.maybeClasses }),
    latency,
    conversions: { int8: verification.int8?.overhead ?? null, fp32: verification.fp32?.overhead ?? null },
    unmatched: analysis?.unmatched ?? [],
    matched: analysis?.matched ?? 0,
    seconds,
    ...(pending.length === 0 ? {} : { pending }),
    warnings: [...(pending.length === 0 ? [] : [pendingWarning(pending)]), ...warnings],
  };
}

function environmentOf({ isa }: Prepared, { threads }: JobContext): Report['environment'] {
  return {
    runtime: RUNTIME,
    cpu: os.cpus()[0]?.model ?? os.arch(),
    saturates: isa.saturatesHere,
    isa: isa.target,
    threads: threads ?? os.availableParallelism(),
    platform: `${os.platform()}-${os.arch()}`,
  };
}
