/** What a run of the large model might have found: made of random numbers, so that the benchmark need not run it. */

import { graphOf, type OnnxModel } from '../../src/core/onnx/model';
import type { Base, Subject } from '../../src/extension/layerView/subject';
import type { ErrorMeasure } from '../../src/shared/measured';
import type { LayerReport, Report, Status, TensorReport } from '../../src/shared/report';
import type { LayerVerdict, Verdict } from '../../src/shared/verdicts';
import { noise } from './model';

const SHAPE = [1, 8, 8, 8];
const OUTLIER_EVERY = 50;

function error(sqnr: number): ErrorMeasure {
  return { sqnr, cosine: 1, worst: { sample: '000.png', sqnr: sqnr - 3 } };
}

function tensor(name: string, role: TensorReport['role']): TensorReport {
  const span = { min: -1, max: 3 };
  const quantization = { type: 'uint8', scale: [0.016], zeroPoint: [64], axis: null };
  return { ...{ name, role, shape: SHAPE, quantization }, observed: span, range: span };
}

function layersOf(model: OnnxModel, seed: number): LayerReport[] {
  const random = noise(seed);
  const next = (): number => random.next().value + 0.5;
  const nodes = graphOf(model).node;
  return nodes
    .filter(({ opType }) => opType !== 'Relu')
    .map((node, index): LayerReport => {
      const { name, opType: op, input, output } = node;
      const bad = index % OUTLIER_EVERY === 17;
      const status: Status = index % 37 === 36 ? 'fallback' : index % 61 === 60 ? 'float' : 'quantized';
      const inputs = input.filter((read) => !read.endsWith('.weight')).map((read) => tensor(read, 'input'));
      const weights = input.filter((read) => read.endsWith('.weight')).map((read) => tensor(read, 'weight'));
      return {
        ...{ name, op, status, macs: op === 'Conv' ? 4_096 : 0, saturation: null },
        ...{ fused: [], nodes: [name], scope: name.slice(1, name.lastIndexOf('/')) },
        reason: status === 'fallback' ? 'op-not-supported' : null,
        kernel: status === 'quantized' ? `QLinear${op}` : op,
        time: { int8: 1 + 4 * next(), fp32: 1 + 5 * next() },
        local: status === 'quantized' ? error(bad ? 5 + 12 * next() : 24 + 24 * next()) : null,
        accumulated: error(50 - (30 * index) / nodes.length + 4 * next()),
        tensors: [...inputs, ...weights, ...output.map((made) => tensor(made, 'output'))],
      };
    });
}

function reportOf(model: OnnxModel, seed: number, created: string): Report {
  const layers = layersOf(model, seed);
  const count = (status: Status): number => layers.filter((layer) => layer.status === status).length;
  return {
    ...{ version: 1, tool: 'bench', created, framework: 'onnx', backend: 'ort-cpu', mode: 'static', format: 'qdq' },
    model: { path: '/large.onnx', sha256: '', bytes: 2e6, opset: 13, producer: '', inputs: [], outputs: [] },
    quantized: { path: '/large.int8.onnx', bytes: 5e5, opset: 13 },
    recipe: { model: 'large.onnx', calibration: { data: 'images' } },
    environment: { runtime: '', cpu: '', saturates: false, isa: 'vnni', threads: 1, platform: '' },
    ...{ normalization: [], calibration: null, accuracy: null, unmatched: [], matched: 0, seconds: {}, warnings: [] },
    outputs: [{ name: 'output', error: error(20) }],
    conversions: { int8: 400, fp32: 30 },
    layers,
    counts: { quantized: count('quantized'), float: count('float'), fallback: count('fallback') },
  };
}

function verdictsOf({ layers }: Report): LayerVerdict[] {
  const random = noise(7);
  return layers.flatMap(({ name, status }, index): LayerVerdict[] => {
    if (status !== 'quantized') return [];
    const bad = index % OUTLIER_EVERY === 17;
    const verdict: Verdict = bad ? 'culprit' : index % 7 === 0 ? 'amplifier' : index % 3 === 0 ? 'victim' : 'harmless';
    const share = (bad ? 1 : 0.01) * (random.next().value + 0.5);
    const unknown = { growth: null, split: null, causes: [] };
    return [{ layer: name, verdict, why: 'Made up.', only: 40, without: 21, share, ...unknown }];
  });
}

/** As the extension has it, read from a file: engines keep text that was put together from parts in another form. */
function asRead(report: Report): Report {
  return JSON.parse(JSON.stringify(report)) as Report;
}

/** Everything that the layer view can show at once: a run, the one before, and verdicts. */
export function subjectOf(model: OnnxModel): Subject {
  const report = asRead(reportOf(model, 3, '2026-01-02T00:00:00.000Z'));
  const base: Base = { report: asRead(reportOf(model, 5, '2026-01-01T00:00:00.000Z')), relation: 'previous' };
  const layers = verdictsOf(report);
  const cost = { passes: 9, layers: layers.length, seconds: 60 };
  const culprits = { version: 1, report: report.created, samples: 16, sqnr: 20, cost, causes: [], layers } as const;
  return {
    report,
    base,
    planned: [],
    found: { culprits, prices: undefined, speed: undefined, stamp: 'made' },
    stamp: '',
  };
}
