/** The worker's answers put together into the report that ONNX models get too. Pure. */

import * as os from 'node:os';
import * as path from 'node:path';
import type { QuantizeJob } from '../core/pipeline/types';
import { countByStatus } from '../core/pipeline/report';
import { samplesRead, skippedWarnings } from '../core/pipeline/skipped';
import { baseOf } from '../core/reportFile';
import { TOOL } from '../core/version';
import { REASONS, type ReasonCode } from '../shared/reasons';
import {
  REPORT_VERSION,
  type AccuracyReport,
  type LatencyReport,
  type LayerReport,
  type Report,
  type Status,
} from '../shared/report';
import type { RecipeData } from './data';
import { faultWarnings } from './faults';
import type { Analyzed, Check, Loaded, PreparedModel, WorkerLayer } from './protocol';
import type { LayerSettings, Settings } from './settings';

/** What the model was read from. */
export interface Source {
  readonly source: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What was read and written. */
export interface Files extends Source {
  /** The int8 TorchScript. */
  readonly target: string;
  readonly targetBytes: number;
  readonly targetSha256: string;
}

export interface Parts {
  readonly job: QuantizeJob;
  readonly settings: Settings;
  readonly check: Check;
  readonly files: Files;
  readonly loaded: Loaded;
  readonly prepared: PreparedModel;
  readonly analyzed: Analyzed;
  readonly accuracy: AccuracyReport | null;
  readonly latency: LatencyReport;
  readonly data: RecipeData;
  readonly overrides: ReadonlyMap<string, LayerSettings>;
  readonly warnings: readonly string[];
  readonly threads: number;
  readonly seconds: Report['seconds'];
}

export function makeReport(parts: Parts): Report {
  const { job, settings, check, files, loaded, prepared, analyzed, data } = parts;
  const layers = analyzed.layers.map((layer) => layerReport(layer));
  return {
    version: REPORT_VERSION,
    tool: TOOL,
    created: new Date().toISOString(),
    framework: 'torch',
    model: modelOf(files, loaded, prepared, check),
    quantized: { path: files.target, bytes: files.targetBytes, opset: 0, sha256: files.targetSha256 },
    recipe: job.recipe,
    base: baseOf(path.dirname(files.target), job.baseDir),
    backend: settings.backend,
    mode: settings.mode,
    format: 'torchscript',
    environment: {
      runtime: `torch ${check.torch ?? ''}, engine ${settings.engine}, Python ${check.python}`,
      cpu: os.cpus()[0]?.model ?? os.arch(),
      saturates: loaded.saturates[settings.engine] === true,
      engines: Object.entries(loaded.saturates).map(([id, saturates]) => ({ id, saturates })),
      isa: os.arch(),
      threads: parts.threads,
      platform: `${os.platform()}-${os.arch()}`,
    },
    normalization: [],
    calibration: {
      data: data.calibration.description,
      synthetic: data.calibration.kind === 'synthetic',
      samples: samplesRead(data.calibration),
      observer: settings.global.observer ?? (settings.mode === 'qat' ? 'moving-average' : 'mse'),
      skipped: data.calibration.skipped,
      cached: false,
    },
    layers,
    counts: countByStatus(layers),
    outputs: analyzed.outputs.map(({ index, error }) => ({ name: outputName(index), error })),
    accuracy: parts.accuracy,
    latency: parts.latency,
    unmatched: [],
    matched: layers.filter(({ accumulated }) => accumulated !== null).length,
    seconds: parts.seconds,
    warnings: [
      ...parts.warnings,
      ...(data.judged === data.calibration ? [] : skippedWarnings(data.judged.skipped)),
      ...scriptWarnings(loaded),
      ...leakWarnings(layers, parts.overrides),
      ...staleWarnings(analyzed),
      ...faultWarnings(layers, settings, loaded.saturates[settings.engine] === true),
    ],
  };
}

export function modelOf(
  { source, sha256, bytes }: Source,
  loaded: Loaded,
  prepared: PreparedModel,
  { torch }: Check,
): Report['model'] {
  return {
    path: source,
    sha256,
    bytes: Math.max(bytes, loaded.bytes),
    opset: 0,
    producer: `torch ${torch ?? ''}`.trim(),
    inputs: loaded.inputs,
    outputs: prepared.outputs.map(({ type, shape }, index) => ({ name: outputName(index), type, shape })),
  };
}

function outputName(index: number): string {
  return index === 0 ? 'output' : `output${index}`;
}

export function layerReport({ int8, reason, source, tensors, ...layer }: WorkerLayer): LayerReport {
  const code = reason !== null && Object.hasOwn(REASONS, reason) ? (reason as ReasonCode) : null;
  const status: Status = int8 ? 'quantized' : code === null ? 'float' : REASONS[code].status;
  return {
    ...layer,
    tensors: tensors.map(({ chosenBy, ...tensor }) => (chosenBy === undefined ? tensor : { ...tensor, chosenBy })),
    status,
    reason: code,
    saturation: null,
    ...(source === null ? {} : { source: sourceLines(source) }),
  };
}

export function sourceLines({ called, built }: NonNullable<WorkerLayer['source']>): NonNullable<LayerReport['source']> {
  return { ...(called === undefined ? {} : { called }), ...(built === undefined ? {} : { built }) };
}

function scriptWarnings({ kind }: Loaded): string[] {
  if (kind !== 'torchscript') return [];
  return [
    'TorchScript was quantized by quantize_jit, which tells which operators run in int8, but not the error of each: name the factory of the module, `file.py:factory`, for that.',
  ];
}

/** Where `convert_fx` put a copy between a layer and an operator that writes over its input in place. */
function staleWarnings({ stale }: Analyzed): string[] {
  if (stale.length === 0) return [];
  return [
    `${stale.join(', ')}: an operator before writes in place over what is read here; the fp32 model sees it, the int8 model reads what was there before. Give that operator \`inplace=False\` and read its result instead.`,
  ];
}

/** What was to stay in float and was seen to run in int8 all the same. */
function leakWarnings(layers: readonly LayerReport[], overrides: ReadonlyMap<string, LayerSettings>): string[] {
  const leaked = layers.filter(({ name, status }) => status === 'quantized' && overrides.get(name)?.quantize === false);
  if (leaked.length === 0) return [];
  return [`torch runs ${leaked.map(({ name }) => name).join(', ')} in int8 although the recipe keeps it in float.`];
}
