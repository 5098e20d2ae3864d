/** A report for tests: three layers, one of them bad, one that fell back. */

import type { ErrorMeasure } from '../../src/shared/measured';
import { REPORT_VERSION, type LayerReport, type Report } from '../../src/shared/report';

export function measure(sqnr: number | null): ErrorMeasure {
  return { sqnr, cosine: 1, worst: { sample: 's', sqnr } };
}

export function layer(name: string, changes: Partial<LayerReport> = {}): LayerReport {
  return {
    ...{
      name,
      op: 'Conv',
      fused: [],
      nodes: [name],
      scope: '',
      status: 'quantized',
      reason: null,
      kernel: 'QLinearConv',
    },
    ...{ time: { int8: 10, fp32: 20 }, macs: 100, saturation: null, tensors: [] },
    ...{ local: measure(40), accumulated: measure(35) },
    ...changes,
  };
}

export function reportOf(changes: Partial<Report> = {}): Report {
  return {
    ...{
      version: REPORT_VERSION,
      tool: 't',
      created: '2026-01-01T00:00:00.000Z',
      framework: 'onnx',
      recipe: { model: 'net.onnx' },
    },
    model: { path: '/net.onnx', sha256: '', bytes: 4000, opset: 13, producer: '', inputs: [], outputs: [] },
    quantized: { path: '/net.int8.onnx', bytes: 1000, opset: 13 },
    ...{ backend: 'ort-cpu', mode: 'static', format: 'qdq', normalization: [], unmatched: [], matched: 0 },
    environment: { runtime: 'r', cpu: '', saturates: true, isa: 'avx2', threads: 1, platform: '' },
    calibration: null,
    layers: [
      layer('a/conv', { fused: ['Relu'], nodes: ['a/conv', 'a/relu'] }),
      layer('b/conv', { local: measure(9.5), accumulated: measure(8) }),
      layer('b/prelu', { op: 'PRelu', status: 'fallback', reason: 'op-not-supported', kernel: 'PRelu', local: null }),
    ],
    counts: { quantized: 2, float: 0, fallback: 1 },
    outputs: [{ name: 'y', error: measure(8) }],
    accuracy: { samples: 300, top1: { fp32: 70, int8: 68.5 }, top5: null, agreement: 95 },
    ...{ seconds: {}, warnings: [] },
    ...changes,
  };
}
