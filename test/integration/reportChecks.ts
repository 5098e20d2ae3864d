/** Whether a report tells the truth about the models that it is about, as far as the models themselves can tell. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Feeds } from '../../src/core/data/types';
import { readModel } from '../../src/core/onnx/model';
import { prepare, type Prepared } from '../../src/core/pipeline/prepare';
import { openSession } from '../../src/core/runtime/session';
import { toFloat32 } from '../../src/core/tensor';
import { REASONS } from '../../src/shared/reasons';
import { isIncomparable, type Measured } from '../../src/shared/measured';
import type { LayerReport, Report } from '../../src/shared/report';
import { ROOT, temporaryFolder } from './support';

/** Operators that compute with integers, and those that only move them. */
const INT8_KERNEL = /^(QLinear\w+|QGemm|(Dynamic)?\w*MatMulInteger\w*|ConvInteger|DynamicQuantizeMatMul|NhwcMaxPool)$/;
const MOVERS = new Set(
  'Reshape Transpose Flatten Squeeze Unsqueeze Gather Slice Split Concat MaxPool Identity DepthToSpace'.split(' '),
);
const FLOATS = new Set(['float32', 'float16', 'float64', 'bfloat16']);

export async function checkReport(report: Report): Promise<void> {
  const { path: file, bytes } = report.quantized!;
  const outDir = path.dirname(file);
  const saved = JSON.parse(readFileSync(path.join(outDir, 'report.json'), 'utf8')) as Report;
  assert.deepEqual({ ...saved, gates: [] }, report, 'report.json is what was printed');
  assert.equal(bytes, readFileSync(file).byteLength);
  const prepared = await prepare(report.recipe, ROOT, {});
  checkLayers(report, prepared);
  checkTensors(report, prepared);
  await checkKernels(report);
}

/** Of the layers that are another's last step or hand on what they read, none is counted. */
const RUNS_NO_KERNEL: ReadonlySet<string | null> = new Set(['merged', 'no-op']);

function checkLayers({ layers, counts, mode, shapeComputations }: Report, { graph }: Prepared): void {
  const total = { quantized: 0, float: 0, fallback: 0 };
  for (const layer of layers) {
    const { name, status, reason, kernel } = layer;
    if (!RUNS_NO_KERNEL.has(reason)) total[status]++;
    if (status === 'quantized') {
      assert.equal(reason, null, name);
      const int8 = kernel === null || INT8_KERNEL.test(kernel) || MOVERS.has(kernel);
      assert.ok(mode === 'weight-only' || int8, `${name} is said to run in int8, but its kernel is ${kernel}`);
    } else {
      assert.ok(reason !== null, `${name} is ${status} without a reason`);
      assert.equal(REASONS[reason].status, status, `${name}: ${reason}`);
    }
    checkErrors(layer);
  }
  assert.deepEqual(counts, total);
  const nodes = graph.nodes.filter((node) => node.opType !== 'Constant');
  assert.ok(
    nodes.every(({ name }) => name !== ''),
    'every node has a name',
  );
  const listed = layers.flatMap((layer) => layer.nodes);
  assert.equal(new Set(listed).size, listed.length, 'no node is in two layers');
  const unlisted = nodes.filter(({ name }) => !listed.includes(name));
  assert.equal(listed.length + unlisted.length, nodes.length, 'every layer is made of nodes of the model');
  assert.equal(unlisted.length, shapeComputations);
  // Followed from the inputs: what is read through a Shape or Size does not depend on the data.
  const ofData = new Set(graph.inputs);
  for (const { opType, input, output } of nodes)
    if (opType !== 'Shape' && opType !== 'Size' && input.some((name) => ofData.has(name)))
      for (const name of output) ofData.add(name);
  for (const { name, output } of unlisted) assert.ok(!output.some((made) => ofData.has(made)), `${name} is no layer`);
  assert.equal(new Set(layers.map(({ name }) => name)).size, layers.length);
}

function checkErrors({ name, local, accumulated, saturation }: LayerReport): void {
  if (local !== null) checkMeasure(local, `${name} local`);
  if (accumulated !== null) checkMeasure(accumulated, `${name} accumulated`);
  assert.ok(saturation === null || (saturation >= 0 && saturation <= 1), `${name} clips ${saturation}`);
}

function checkMeasure(measure: Measured, what: string): void {
  if (isIncomparable(measure)) return;
  const { sqnr, cosine, worst } = measure;
  // JSON has no infinity or NaN: those would have become null, which means "no error at all".
  if (sqnr === null) assert.ok(Math.abs(cosine - 1) < 1e-6, `${what}: no error, but a cosine of ${cosine}`);
  else assert.ok(Number.isFinite(sqnr), what);
  assert.ok(cosine >= -1 - 1e-9 && cosine <= 1 + 1e-9, `${what}: cosine ${cosine}`);
  assert.notEqual(worst.sample, '', what);
  if (sqnr !== null) assert.ok((worst.sqnr ?? Infinity) <= sqnr + 1e-6, `${what}: the worst sample is above the mean`);
}

/** Every float tensor of the main graph was compared, or is listed with a reason. */
function checkTensors({ matched, unmatched, outputs }: Report, { graph, tensors }: Prepared): void {
  const made = [
    ...graph.inputs,
    ...graph.nodes.filter((node) => node.opType !== 'Constant').flatMap((node) => node.output),
  ];
  const floats = new Set(made.filter((name) => !graph.isConstant(name) && FLOATS.has(tensors.get(name)?.type ?? '')));
  const listed = unmatched.filter(({ why }) => !why.startsWith('inside a subgraph '));
  for (const { tensor, why } of listed) {
    assert.ok(floats.has(tensor), `${tensor} is listed, but is no float tensor`);
    assert.ok(why.length > 10, `${tensor}: ${why}`);
  }
  assert.equal(new Set(listed.map(({ tensor }) => tensor)).size, listed.length, 'no tensor is listed twice');
  assert.equal(matched + listed.length, floats.size, 'matched + unmatched = all float tensors');
  for (const { name, error } of outputs) checkMeasure(error, `output ${name}`);
}

/** The runtime's own graph of the int8 model has as many convolutions and products of each kind as the report says. */
async function checkKernels({ layers, quantized }: Report): Promise<void> {
  const optimized = path.join(temporaryFolder(), 'optimized.onnx');
  const session = await openSession(quantized!.path, { level: 'all', threads: 1, optimizedModelPath: optimized });
  await session.close();
  const { proto } = await readModel(optimized);
  const inGraph = countBy((proto.graph?.node ?? []).map((node) => kindOf(node.opType)).filter(isConvolution));
  const inReport = countBy(
    layers
      .filter((layer) => layer.op === 'Conv')
      .flatMap(({ kernel }) => (kernel === null ? [] : [kindOf(kernel)]))
      .filter(isConvolution),
  );
  assert.deepEqual(inReport, inGraph);
}

/** A float Conv becomes a FusedConv only at the last level of optimization, after the one that the report is about. */
const kindOf = (op: string): string => (op === 'FusedConv' ? 'Conv' : op);
const isConvolution = (op: string): boolean => op.includes('Conv') && !op.includes('Transpose');

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The int8 model runs at the level of deployment and gives outputs of the right shapes without NaN or infinity. */
export async function checkRuns(report: Report, samples: readonly Feeds[]): Promise<void> {
  assert.ok(samples.length > 0);
  const fp32 = await openSession(report.model.path, { threads: 1 });
  const int8 = await openSession(report.quantized!.path, { level: 'all', threads: 1 });
  assert.deepEqual(int8.inputs, fp32.inputs);
  assert.deepEqual(
    int8.outputs.map(({ name, type }) => [name, type]),
    fp32.outputs.map(({ name, type }) => [name, type]),
  );
  for (const feeds of samples) {
    const [expected, outputs] = [await fp32.run(feeds), await int8.run(feeds)];
    for (const { name } of int8.outputs) {
      assert.deepEqual(outputs[name]!.dims, expected[name]!.dims, name);
      assert.ok(toFloat32(outputs[name]!).every(Number.isFinite), `${name} is not finite`);
    }
  }
  await fp32.close();
  await int8.close();
}
