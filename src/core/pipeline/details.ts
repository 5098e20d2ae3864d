/** What is shown of one layer of a report beyond its row: histograms, what each observer would choose, weights. */

import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { QuantscopeError, throwIfCancelled, toQuantscopeError } from '../../shared/errors';
import type { ActivationDetails, DetailsInput, LayerDetails, WeightDetails } from '../../shared/details';
import type { LayerReport, Report, TensorReport } from '../../shared/report';
import { backendOf } from '../backends/backends';
import { COMPUTE_OPS, CONV_TRANSPOSE } from '../backends/ops';
import type { OpRule } from '../backends/types';
import { median } from '../benchmark/statistics';
import { histogramView } from '../calibrate/histogramView';
import { allRanges, DEFAULT_PERCENTILE } from '../calibrate/observers';
import { channelRanges, type QuantSpec } from '../calibrate/qparams';
import type { TensorStats } from '../calibrate/histogram';
import { Graph, opKey } from '../onnx/graph';
import { readModel } from '../onnx/model';
import { externalFiles } from '../onnx/tensors';
import { channelAxis } from '../plan/plan';
import { quantizedIsCurrent, readReport, recipeFolder, resultFolder } from '../reportFile';
import { toFloat32 } from '../tensor';
import { readCalibration, STATS_FILE } from './calibration';
import { hashFiles, normalizeFor } from './prepare';
import { smoothed } from './smoothing';
import type { JobContext } from './types';

/** As many bins as a chart is wide enough for. */
const BINS = 128;
/** A channel this many times larger than the median is an outlier. */
const OUTLIER = 10;

/** Asks the same report again and again without reading it, its model and its statistics each time. */
export class DetailsReader {
  readonly #reports = new LastOne<Report>();
  readonly #statistics = new LastOne<Measurements | undefined>();
  readonly #graphs = new LastOne<Graph | string>();
  readonly #notes = new LastOne<readonly string[]>();

  /**
   * Whatever is missing is left out, with a note.
   * @throws `file-not-found`, `report-invalid`; `usage` for a layer that the report does not have
   */
  async read(input: DetailsInput, context: JobContext = {}): Promise<LayerDetails> {
    const { signal } = context;
    const report = await this.#reports.get(await stampOf([input.report]), () => readReport(input.report));
    const layer = report.layers.find(({ name }) => name === input.layer);
    if (layer === undefined) throw new QuantscopeError('usage', `The report has no layer "${input.layer}".`);
    throwIfCancelled(signal);
    const folder = resultFolder(input.report);
    const stamp = await stampOf([input.report, path.join(folder, STATS_FILE)]);
    const measurements = await this.#statistics.get(stamp, () => readCalibration(folder));
    throwIfCancelled(signal);
    const activations = activationDetails(report, layer, measurements);
    const weights = await this.#weights(report, layer, input.report, context);
    const int8 = report.quantized?.path ?? '';
    const current = await this.#notes.get(await stampOf([input.report, int8]), async () =>
      (await quantizedIsCurrent(report)) ? [] : ['The int8 model beside this report is that of another run.'],
    );
    return {
      layer: layer.name,
      activations: activations.found,
      weights: weights.found,
      notes: [...activations.notes, ...weights.notes, ...current],
    };
  }

  async #weights(report: Report, layer: LayerReport, file: string, context: JobContext): Promise<Found<WeightDetails>> {
    const stamp = await stampOf([file, report.model.path]);
    const graph = await this.#graphs.get(stamp, () => graphOf(report, file, context));
    return typeof graph === 'string' ? { found: [], notes: [graph] } : weightDetails(layer, graph);
  }
}

type Measurements = NonNullable<Awaited<ReturnType<typeof readCalibration>>>;

interface Found<T> {
  readonly found: readonly T[];
  readonly notes: readonly string[];
}

/** Remembers the last value, and what it was made from. */
class LastOne<T> {
  #known: { readonly stamp: string; readonly value: Promise<T> } | undefined;

  async get(stamp: string, make: () => Promise<T>): Promise<T> {
    if (this.#known?.stamp !== stamp) this.#known = { stamp, value: make() };
    try {
      return await this.#known.value;
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }
}

/** Changes with the files; one that is missing has a stamp too. */
async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = files.map(async (file) => {
    const found = await stat(file).catch(() => undefined);
    return [file, found?.size, found?.mtimeMs];
  });
  return JSON.stringify(await Promise.all(stamps));
}

// --- Activations ----------------------------------------------------------------------------------------------------

function activationDetails(
  report: Report,
  layer: LayerReport,
  measurements: Measurements | undefined,
): Found<ActivationDetails> {
  if (report.calibration === null) return { found: [], notes: [] };
  if (measurements === undefined) {
    return { found: [], notes: ['The measurements of the calibration are gone; run again to see histograms.'] };
  }
  const { key } = report.calibration;
  if (key !== undefined && key !== measurements.key) {
    const note = 'The measurements of this run were replaced by those of a later one; run again to see histograms.';
    return { found: [], notes: [note] };
  }
  const found: ActivationDetails[] = [];
  const notes: string[] = [];
  for (const tensor of layer.tensors.filter(({ role }) => role === 'input' || role === 'output')) {
    const stats = measurements.stats.get(tensor.name);
    if (stats === undefined || stats.count === 0) {
      notes.push(`"${tensor.name}" was not measured: no int8 layer reads or writes it.`);
    } else found.push(activation(report, tensor, stats));
  }
  return { found, notes };
}

function activation(report: Report, tensor: TensorReport, stats: TensorStats): ActivationDetails {
  const { chosenBy, range } = tensor;
  const { activations } = backendOf(report.backend);
  const { qmin, qmax, symmetric } = chosenBy ?? activations;
  const spec: QuantSpec = { bits: qmax - qmin > 255 ? 16 : 8, qmin, qmax, symmetric };
  const percentile = chosenBy?.percentile ?? report.recipe.calibration?.percentile ?? DEFAULT_PERCENTILE;
  const observer = chosenBy?.observer ?? null;
  return {
    tensor: tensor.name,
    role: tensor.role === 'input' ? 'input' : 'output',
    histogram: histogramView(stats, BINS),
    observers: allRanges(stats, spec, percentile),
    inUse: observer === null || range === null ? null : { observer, min: range.min, max: range.max },
    quantization: tensor.quantization,
  };
}

// --- Weights --------------------------------------------------------------------------------------------------------

/** The normalized model's graph, or why there is none. */
async function graphOf(report: Report, file: string, context: JobContext): Promise<Graph | string> {
  const { model, recipe } = report;
  try {
    const original = await readModel(model.path);
    const hash = await hashFiles([model.path, ...externalFiles(original)]);
    if (hash !== model.sha256) return 'The model was changed since this run, so its weights are not shown.';
    const normalized = await normalizeFor(recipe, original);
    const baseDir = recipeFolder(file, report) ?? path.dirname(model.path);
    return new Graph((await smoothed(normalized, hash, recipe, baseDir, context)).model);
  } catch (error) {
    return `The weights are not shown, for the model cannot be read: ${toQuantscopeError(error).message}`;
  }
}

/** Operators with weights, whatever the backend does with them. */
const WEIGHTED: Readonly<Record<string, OpRule>> = { ...COMPUTE_OPS, ConvTranspose: CONV_TRANSPOSE };

function weightDetails(layer: LayerReport, graph: Graph): Found<WeightDetails> {
  const node = graph.nodes.find(({ name }) => name === layer.name);
  const key = node === undefined ? '' : opKey(node);
  const rule = Object.hasOwn(WEIGHTED, key) ? WEIGHTED[key] : undefined;
  if (node === undefined || rule?.weight === undefined) return { found: [], notes: [] };
  const name = node.input[rule.weight.input] ?? '';
  const constant = graph.constant(name);
  if (constant === undefined) return { found: [], notes: [] };
  const { dims } = constant;
  const axis = channelAxis(rule.weight.axis, node, dims.length);
  const quantization = layer.tensors.find((tensor) => tensor.name === name && tensor.role === 'weight')?.quantization;
  const ranges = channelRanges(toFloat32(constant), dims, axis);
  const largest = ranges.map(({ min, max }) => Math.max(-min, max));
  const limit = OUTLIER * median(largest);
  const outliers = largest.flatMap((value, channel) => (value > limit && limit > 0 ? [channel] : []));
  const details: WeightDetails = {
    tensor: name,
    shape: dims,
    axis: axis ?? 0,
    min: Float64Array.from(ranges, ({ min }) => min),
    max: Float64Array.from(ranges, ({ max }) => max),
    quantization: quantization ?? null,
    outliers: outliers.toSorted((a, b) => largest[b]! - largest[a]!),
    dead: largest.flatMap((value, channel) => (value === 0 ? [channel] : [])),
  };
  return { found: [details], notes: [] };
}
