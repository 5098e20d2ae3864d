import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { GraphProtoSchema, ModelProtoSchema, OperatorSetIdProtoSchema } from '../onnx/generated/onnx_pb';
import { makeNode, serializeModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { valueInfo } from '../runtime/inspect';
import { makeTensor } from '../tensor';
import { geometryOf } from './geometry';
import {
  arrangeWeights,
  emulateSaturation,
  isDepthwise,
  kernelSums,
  samplePositions,
  type Geometry,
} from './saturation';

const ROOT = path.join(__dirname, '../../..');
const UNAVAILABLE = 77;

interface Case {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly attributes: Readonly<Record<string, number | string | number[]>>;
}

const CASES: readonly Case[] = [
  { name: 'three-channels', input: [1, 3, 9, 9], weight: [8, 3, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { name: 'strided', input: [1, 3, 12, 11], weight: [5, 3, 5, 3], attributes: { strides: [2, 3], pads: [2, 0, 1, 1] } },
  { name: 'pointwise', input: [1, 16, 6, 6], weight: [32, 16, 1, 1], attributes: {} },
  { name: 'symmetric-kernel', input: [1, 16, 7, 7], weight: [32, 16, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { name: 'odd-channels', input: [1, 7, 5, 5], weight: [9, 7, 3, 3], attributes: { dilations: [2, 1] } },
  { name: 'one-channel', input: [1, 1, 10, 10], weight: [6, 1, 3, 3], attributes: {} },
  { name: 'grouped', input: [1, 12, 6, 6], weight: [8, 6, 3, 3], attributes: { group: 2 } },
  { name: 'multiplier', input: [1, 4, 6, 6], weight: [8, 1, 3, 3], attributes: { group: 4 } },
  { name: 'depthwise', input: [1, 8, 6, 6], weight: [8, 1, 3, 3], attributes: { group: 8, pads: [1, 1, 1, 1] } },
  {
    name: 'same-upper',
    input: [1, 3, 9, 10],
    weight: [4, 3, 4, 3],
    attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
  },
  {
    name: 'same-lower',
    input: [1, 3, 9, 10],
    weight: [4, 3, 4, 3],
    attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] },
  },
  { name: 'valid', input: [1, 3, 9, 10], weight: [4, 3, 4, 3], attributes: { auto_pad: 'VALID' } },
  { name: 'one-dimension', input: [1, 5, 20], weight: [4, 5, 3], attributes: { pads: [1, 1] } },
  { name: 'product', input: [5, 33], weight: [33, 17], attributes: {} },
  { name: 'one-row', input: [1, 64], weight: [64, 40], attributes: {} },
];

const ZERO_POINT = 7;

function size(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

/** Values near the ends of the range, so that pairs overflow. */
function extremes(count: number, seed: number, low: number, high: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const r = Math.abs(Math.sin(seed + i * 12.9898) * 43758.5453) % 1;
    return Math.round(r < 0.5 ? high - r * 30 : r < 0.7 ? low + (r - 0.5) * 30 : low + r * (high - low));
  });
}

function inputOf(sample: Case): Uint8Array {
  return Uint8Array.from(extremes(size(sample.input), 1, 0, 255));
}

function weightOf(sample: Case): Int8Array {
  return Int8Array.from(extremes(size(sample.weight), 2, -127, 127));
}

function nodeOf(sample: Case) {
  const product = sample.input.length === 2;
  return makeNode({
    op: product ? 'MatMul' : 'Conv',
    name: 'layer',
    inputs: ['x', 'w'],
    outputs: ['y'],
    attributes: sample.attributes,
  });
}

/** Output levels per unit of the accumulator: a power of two that keeps every exact output inside uint8. */
function scaleOf(sample: Case): number {
  const shape = geometry(sample);
  const weights = arrangeWeights(shape, weightOf(sample));
  const sums = samplePositions(shape, Infinity, 0).flatMap((position) => [
    ...kernelSums(shape, weights, inputOf(sample), ZERO_POINT, position).exact,
  ]);
  return 2 ** Math.floor(Math.log2(120 / Math.max(...sums.map(Math.abs))));
}

/** The layer in QLinear form. */
function modelOf(sample: Case, outShape: readonly number[]): Uint8Array {
  const product = sample.input.length === 2;
  const scalar = (name: string, value: number) =>
    makeTensorProto(name, makeTensor('float32', [], Float32Array.of(value)));
  const node = makeNode({
    op: product ? 'QLinearMatMul' : 'QLinearConv',
    name: 'layer',
    inputs: ['x', 'one', 'x_zero', 'w', 'one', 'w_zero', 'y_scale', 'y_zero'],
    outputs: ['y'],
    attributes: sample.attributes,
  });
  const graph = create(GraphProtoSchema, {
    name: 'layer',
    node: [node],
    input: [valueInfo('x', 'uint8', sample.input)],
    output: [valueInfo('y', 'uint8', outShape)],
    initializer: [
      scalar('one', 1),
      scalar('y_scale', 1 / scaleOf(sample)),
      makeTensorProto('x_zero', makeTensor('uint8', [], Uint8Array.of(ZERO_POINT))),
      makeTensorProto('w_zero', makeTensor('int8', [], Int8Array.of(0))),
      makeTensorProto('y_zero', makeTensor('uint8', [], Uint8Array.of(128))),
      makeTensorProto('w', makeTensor('int8', sample.weight, weightOf(sample))),
    ],
  });
  const opset = create(OperatorSetIdProtoSchema, { domain: '', version: 13n });
  return serializeModel({ proto: create(ModelProtoSchema, { irVersion: 8n, graph, opsetImport: [opset] }) });
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** What a kernel that clips (or does not) writes, in ONNX's order of the output. */
function expected(sample: Case, geometry: Geometry, clips: boolean): Uint8Array {
  const weights = arrangeWeights(geometry, weightOf(sample));
  const channels = weights.groups * weights.columns;
  const positions = samplePositions(geometry, Infinity, 0);
  const scale = scaleOf(sample);
  const result = new Uint8Array(positions.length * channels);
  for (const position of positions) {
    const { exact, lost } = kernelSums(geometry, weights, inputOf(sample), ZERO_POINT, position);
    for (let channel = 0; channel < channels; channel++) {
      const sum = exact[channel]! - (clips ? lost[channel]! : 0);
      const at = geometry.kind === 'conv' ? channel * positions.length + position : position * channels + channel;
      result[at] = Math.min(255, Math.max(0, roundHalfEven(Math.fround(sum * scale)) + 128));
    }
  }
  return result;
}

/** What the kernels write on a CPU that ends at AVX2, or why that cannot be tried here. */
function runCases(): Map<string, Uint8Array> | string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quantscope-'));
  try {
    for (const sample of CASES) {
      writeFileSync(path.join(folder, `${sample.name}.onnx`), modelOf(sample, outShapeOf(sample)));
      writeFileSync(path.join(folder, `${sample.name}.in`), inputOf(sample));
    }
    const script = path.join(ROOT, 'test/fixtures/analyze/runModels.ts');
    const args = [path.join(ROOT, 'test/isa/avx2.mjs'), process.execPath, '--import', 'tsx', script, folder];
    const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (run.status === UNAVAILABLE) return run.stderr.trim();
    assert.equal(run.status, 0, run.stderr);
    return new Map(CASES.map(({ name }) => [name, new Uint8Array(readFileSync(path.join(folder, `${name}.out`)))]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function geometry(sample: Case): Geometry {
  const found = geometryOf(nodeOf(sample), sample.input, sample.weight);
  assert.ok(found);
  return found;
}

function outShapeOf(sample: Case): number[] {
  const found = geometry(sample);
  return found.kind === 'conv' ? [1, found.outChannels, ...found.outSpatial] : [found.rows, found.columns];
}

describe('saturation', () => {
  test('the emulation gives what the kernels of an AVX2 CPU write, value for value', (t) => {
    const made = runCases();
    if (typeof made === 'string') {
      t.skip(made);
      return;
    }
    for (const sample of CASES) {
      const clips = !isDepthwise(geometry(sample));
      const wanted = expected(sample, geometry(sample), clips);
      assert.deepEqual(made.get(sample.name), wanted, sample.name);
      // The case must be able to tell: without clipping the outputs differ.
      if (clips) assert.notDeepEqual(wanted, expected(sample, geometry(sample), false), sample.name);
    }
  });

  test('weights of seven bits never saturate', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 40, maxLength: 40 }),
        (a, w) => {
          const shape: Geometry = { kind: 'product', rows: 1, inner: a.length, columns: 1 };
          const weights = arrangeWeights(shape, Int8Array.from(w.slice(0, a.length)));
          const { clipped, exact, lost } = kernelSums(shape, weights, Uint8Array.from(a), 0, 0);
          const dot = a.reduce((sum, value, i) => sum + value * w[i]!, 0);
          return clipped === 0 && lost[0] === 0 && exact[0] === dot;
        },
      ),
    );
  });

  test('counts the pairs and weighs what they lose', () => {
    const shape: Geometry = { kind: 'product', rows: 2, inner: 4, columns: 1 };
    const weights = arrangeWeights(shape, Int8Array.of(127, 127, 1, 1));
    const input = Uint8Array.of(255, 255, 255, 255, 1, 1, 1, 1);
    const found = emulateSaturation(shape, weights, input, 0, Float32Array.of(0.5), [0, 1]);
    const lost = 255 * 127 * 2 - 32767;
    assert.deepEqual(found, {
      pairs: 4,
      clipped: 1,
      errorPower: (lost * 0.5) ** 2,
      signalPower: ((255 * 127 * 2 + 510) * 0.5) ** 2 + (256 * 0.5) ** 2,
    });
  });

  test('positions are a seeded choice without repeats', () => {
    const shape: Geometry = { kind: 'product', rows: 1000, inner: 1, columns: 1 };
    const chosen = samplePositions(shape, 50, 3);
    assert.equal(new Set(chosen).size, 50);
    assert.ok(chosen.every((p) => p >= 0 && p < 1000));
    assert.deepEqual(chosen, samplePositions(shape, 50, 3));
    assert.notDeepEqual(chosen, samplePositions(shape, 50, 4));
  });
});
