/** The worker's answers put together into the report that ONNX models get too. Pure. */

import * as os from 'node:os';
import * as path from 'node:path';
import type { QuantizeJob } from '../core/pipeline/types';
import { countByStatus } from '../core/pipeline/report';
import { samplesRead, skippedWarnings } from '../core/pipeline/skipped';
import { baseOf } from '../core/reportFile';
import { TOOL } from '../core/version';
import { comparedOf, outputWarnings } from '../shared/measured';
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
  /** The int8 TorchScript, or of mode pt2e the exported program. */
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
  readonly maybeClasses: readonly string[];
  readonly latency: LatencyReport | null;
  readonly data: RecipeData;
  readonly overrides: ReadonlyMap<string, LayerSettings>;
  readonly warnings: readonly string[];
  readonly threads: number;
  readonly seconds: Report['seconds'];
}

export function makeReport(parts: Parts): Report {
  const { job, settings, check, files, loaded, prepared, analyzed, data } = parts;
  const layers = analyzed.layers.map((layer) => withTwin(layerReport(layer), loaded.twins));
  const outputs = analyzed.outputs.map(({ index, error }) => ({ name: outputName(index), error }));
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
    format: settings.mode === 'pt2e' ? 'pt2' : 'torchscript',
    environment: {
      runtime: `torch ${check.torch ?? ''}, ${kernelsOf(settings, check, analyzed)}, Python ${check.python}`,
      cpu: os.cpus()[0]?.model ?? os.arch(),
      saturates: saturates(parts),
      engines: Object.entries(loaded.saturates).map(([id, saturates]) => ({ id, saturates })),
      isa: os.arch(),
      threads: parts.threads,
      platform: `${os.platform()}-${os.arch()}`,
    },
    normalization: [],
    calibration: {
      data: data.calibration.description,
      synthetic: data.calibration.kind === 'synthetic',
      samples: samplesRead(data.calibration.ids, data.calibration.skipped),
      observer: settings.global.observer ?? (settings.mode === 'qat' ? 'moving-average' : 'mse'),
      skipped: data.calibration.skipped,
      cached: false,
    },
    layers,
    counts: countByStatus(layers),
    outputs,
    accuracy: parts.accuracy,
    ...(parts.maybeClasses.length === 0 ? {} : { maybeClasses: parts.maybeClasses }),
    latency: parts.latency,
    unmatched: [],
    matched: layers.filter(({ accumulated }) => comparedOf(accumulated) !== null).length,
    seconds: parts.seconds,
    warnings: [
      ...parts.warnings,
      ...(data.judged === data.calibration ? [] : skippedWarnings(data.judged.skipped)),
      ...scriptWarnings(loaded),
      ...leakWarnings(layers, parts.overrides),
      ...outputWarnings(outputs),
      ...staleWarnings(analyzed),
      ...loweringWarnings(parts.analyzed.lowered, saturates(parts)),
      ...(settings.mode === 'pt2e' ? [] : faultWarnings(layers, settings, saturates(parts))),
    ],
  };
}

/** Whether the kernels that the int8 model runs on saturate: those that pt2e is lowered to are oneDNN's. */
function saturates({ settings, loaded }: Parts): boolean {
  return loaded.saturates[settings.mode === 'pt2e' ? 'onednn' : settings.engine] === true;
}

function kernelsOf({ mode, engine }: Settings, { torchao }: Check, { lowered }: Analyzed): string {
  if (mode !== 'pt2e') return `engine ${engine}`;
  return `torchao ${torchao ?? ''}, ${lowered?.problem === null ? 'lowered to onednn' : 'not lowered'}`;
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

function withTwin(layer: LayerReport, twins: Loaded['twins']): LayerReport {
  const twin = twins[layer.name];
  return twin === undefined ? layer : { ...layer, twin };
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

/** Below this, kernels and graph disagree by more than the rounding of int8 itself usually costs. */
const DISAGREEING_DB = 30;

/**
 * What the graph of pt2e is, and how its int8 kernels were looked at.
 * @param saturates whether those kernels add pairs of products in 16 bits on this CPU
 */
export function loweringWarnings(lowered: Analyzed['lowered'], saturates: boolean): string[] {
  if (lowered === undefined) return [];
  const graph = 'The saved graph computes in float between quantize and dequantize until it is lowered';
  if (lowered.problem !== null) {
    return [
      `${graph}, which failed here: ${lowered.problem}. A layer counts as int8 where its inputs and weights are rounded, and no speed is told.`,
    ];
  }
  const agreement = lowered.agreement === null ? 'to the bit' : `to ${lowered.agreement.toFixed(1)} dB`;
  const told = `${graph}, by torch.compile or, as here for status and time, lower_pt2e_quantized_to_x86 of torchao; its int8 kernels agree with it ${agreement} on one sample.`;
  const disagree = (lowered.agreement ?? Infinity) < DISAGREEING_DB;
  const cure = saturates
    ? ' They add pairs of products in 16 bits, which overflow on this CPU: set `weights: { reduceRange: true }`.'
    : ' The errors told here are those of the graph.';
  return [disagree ? told + cure : told];
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
