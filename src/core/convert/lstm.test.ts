import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildModel, node, random, randomTensor } from '../normalize/fixtures/models';
import { Graph } from '../onnx/graph';
import { serializeModel, type OnnxModel } from '../onnx/model';
import { optimizeModel } from '../runtime/inspect';
import type { Feeds } from '../runtime/session';
import { elementCount, makeTensor, type Tensor } from '../tensor';
import { classify, findKernels } from '../verify/kernels';
import { layerOf, opsOf, outputsAt, planOf, quantize, type Settings } from './fixtures/quantized';
import { fakeQuantizeWeight, halfEven } from './fixtures/reference';

const next = random(77);
const [SEQUENCE, BATCH, INPUT, HIDDEN] = [5, 3, 6, 4] as const;

function tensor(dims: readonly number[], magnitude = 1): Tensor {
  const { type, data } = randomTensor('float32', dims, next, 2);
  return makeTensor(
    type,
    dims,
    Float32Array.from(data as Float32Array, (v) => v * magnitude),
  );
}

interface Spec {
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly batch?: number;
  readonly bias?: boolean;
  readonly states?: boolean;
  readonly peepholes?: boolean;
  readonly lengths?: readonly number[];
  readonly clip?: number;
  readonly outputs?: readonly ('y' | 'h' | 'c' | '')[];
}

interface Case {
  readonly model: OnnxModel;
  readonly feeds: Feeds;
  readonly constants: Readonly<Record<string, Tensor>>;
}

function build(spec: Spec, op: 'LSTM' | 'GRU' | 'RNN' = 'LSTM'): Case {
  const directions = spec.direction === 'bidirectional' ? 2 : 1;
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
  const { batch = BATCH } = spec;
  const constants: Record<string, Tensor> = {
    w: tensor([directions, gates * HIDDEN, INPUT], 0.5),
    r: tensor([directions, gates * HIDDEN, HIDDEN], 0.5),
    ...(spec.bias === true ? { b: tensor([directions, 2 * gates * HIDDEN]) } : {}),
    ...(spec.peepholes === true ? { p: tensor([directions, 3 * HIDDEN]) } : {}),
    ...(spec.lengths === undefined ? {} : { lengths: makeTensor('int32', [batch], Int32Array.from(spec.lengths)) }),
  };
  const state = [directions, batch, HIDDEN];
  const feeds: Feeds = {
    x: tensor([SEQUENCE, batch, INPUT]),
    ...(spec.states === true ? { h0: tensor(state, 0.5), ...(op === 'LSTM' ? { c0: tensor(state) } : {}) } : {}),
  };
  const named = (name: string): string => (name in constants || name in feeds ? name : '');
  const inputs = ['x', 'w', 'r', ...['b', 'lengths', 'h0', 'c0', 'p'].slice(0, op === 'LSTM' ? 5 : 3).map(named)];
  const outputs = spec.outputs ?? (op === 'LSTM' ? ['y', 'h', 'c'] : ['y', 'h']);
  const recurrent = node(op, inputs, outputs, {
    hidden_size: HIDDEN,
    direction: spec.direction,
    ...(spec.clip === undefined ? {} : { clip: { f: spec.clip } }),
  });
  recurrent.name = 'layer';
  const model = buildModel({
    opset: 14,
    inputs: Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims])),
    constants,
    nodes: [recurrent],
    outputs: outputs.filter((name) => name !== ''),
  });
  return { model, feeds, constants };
}

type Rows = Float64Array[];

function fakeDynamic(rows: Rows): Rows {
  const all = rows.flatMap((row) => [...row]);
  const [min, max] = [Math.min(0, ...all), Math.max(0, ...all)];
  if (min === max) return rows;
  const scale = Math.fround((max - min) / 255);
  const zero = halfEven(Math.min(255, Math.max(0, -min / scale)));
  const integer = (x: number): number => Math.min(255, Math.max(0, halfEven(x / scale) + zero));
  return rows.map((row) => row.map((x) => (integer(x) - zero) * scale));
}

/** rows · matrixᵀ */
function times(rows: Rows, matrix: Rows): Rows {
  return rows.map((row) => Float64Array.from(matrix, (line) => line.reduce((sum, m, i) => sum + m * row[i]!, 0)));
}

function rowsOf(data: ArrayLike<number | bigint>, start: number, count: number, size: number): Rows {
  return Array.from({ length: count }, (_, r) =>
    Float64Array.from({ length: size }, (__, c) => Number(data[start + r * size + c])),
  );
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * The LSTM of the ONNX operator documentation in float64, by rounded weights; the input is quantized as a whole, the
 * state of all samples at every step.
 */
function reference(
  { feeds, constants }: Case,
  { direction, clip = Infinity }: Spec,
  perChannel: boolean,
): Float64Array {
  const directions = direction === 'bidirectional' ? 2 : 1;
  const batch = feeds['x']!.dims[1]!;
  const y = new Float64Array(SEQUENCE * directions * batch * HIDDEN);
  const cut = (v: number): number => Math.min(clip, Math.max(-clip, v));
  const gatesOf = (weight: Tensor, d: number): Rows => {
    const [, rows = 0, size = 0] = weight.dims;
    const values = Float32Array.from(weight.data as Float32Array).slice(d * rows * size, (d + 1) * rows * size);
    const flat = perChannel
      ? makeTensor('float32', [rows, size], values)
      : makeTensor('float32', [1, rows * size], values);
    return rowsOf(fakeQuantizeWeight(flat, 0).weight.data, 0, rows, size);
  };
  for (let d = 0; d < directions; d++) {
    const backwards = direction === 'reverse' || d === 1;
    const [w, r] = [gatesOf(constants['w']!, d), gatesOf(constants['r']!, d)];
    const bias =
      constants['b'] === undefined ? undefined : rowsOf(constants['b'].data, d * 8 * HIDDEN, 1, 8 * HIDDEN)[0]!;
    const peephole =
      constants['p'] === undefined ? undefined : rowsOf(constants['p'].data, d * 3 * HIDDEN, 1, 3 * HIDDEN)[0]!;
    const state = (name: string): Rows =>
      feeds[name] === undefined
        ? Array.from({ length: batch }, () => new Float64Array(HIDDEN))
        : rowsOf(feeds[name].data, d * batch * HIDDEN, batch, HIDDEN);
    const fromInput = times(fakeDynamic(rowsOf(feeds['x']!.data, 0, SEQUENCE * batch, INPUT)), w);
    let [h, c] = [state('h0'), state('c0')];
    for (let step = 0; step < SEQUENCE; step++) {
      const at = backwards ? SEQUENCE - 1 - step : step;
      const fromState = times(fakeDynamic(h), r);
      const before = c;
      const made = h.map((_, n) => {
        const [cells, hidden] = [new Float64Array(HIDDEN), new Float64Array(HIDDEN)];
        for (let k = 0; k < HIDDEN; k++) {
          const gate = (g: number): number => {
            const row = g * HIDDEN + k;
            const biased = (bias?.[row] ?? 0) + (bias?.[4 * HIDDEN + row] ?? 0);
            return fromInput[at * batch + n]![row]! + fromState[n]![row]! + biased;
          };
          const old = before[n]![k]!;
          const i = sigmoid(cut(gate(0) + (peephole?.[k] ?? 0) * old));
          const f = sigmoid(cut(gate(2) + (peephole?.[2 * HIDDEN + k] ?? 0) * old));
          const cell = f * old + i * Math.tanh(cut(gate(3)));
          const o = sigmoid(cut(gate(1) + (peephole?.[HIDDEN + k] ?? 0) * cell));
          cells[k] = cell;
          hidden[k] = o * Math.tanh(cell);
        }
        return { cells, hidden };
      });
      c = made.map(({ cells }) => cells);
      h = made.map(({ hidden }) => hidden);
      h.forEach((row, n) => y.set(row, ((at * directions + d) * batch + n) * HIDDEN));
    }
  }
  return y;
}

function sqnr(reference: ArrayLike<number>, found: Tensor): number {
  let [signal, noise] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    signal += reference[i]! ** 2;
    noise += (reference[i]! - Number(found.data[i])) ** 2;
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

async function statusOf(made: Case, settings: Settings): Promise<string> {
  const { conversion, plan } = await quantize(made.model, [made.feeds], settings);
  const kernels = findKernels(plan, conversion, new Graph(await optimizeModel(conversion.model, 'extended')));
  const verdict = classify(plan, kernels).get('layer');
  return `${verdict?.status} ${verdict?.kernel}`;
}

const DIRECTIONS = ['forward', 'reverse', 'bidirectional'] as const;

describe('a dynamic LSTM', () => {
  for (const direction of DIRECTIONS) {
    const variants: readonly Omit<Spec, 'direction'>[] = [
      {},
      { batch: 1, bias: true },
      { bias: true, states: true },
      { bias: true, states: true, peepholes: true },
      { bias: true, clip: 0.5 },
    ];
    for (const more of variants) {
      for (const granularity of ['per-channel', 'per-tensor'] as const) {
        test(`computes by rounded weights and inputs: ${JSON.stringify({ direction, ...more, granularity })}`, async () => {
          const spec = { direction, ...more };
          const made = build(spec);
          const settings: Settings = { mode: 'dynamic', weights: { granularity } };
          const { conversion } = await quantize(made.model, [made.feeds], settings);
          const expected = reference(made, spec, granularity === 'per-channel');
          const fp32 = await outputsAt(made.model, made.feeds, 'disabled');
          for (const level of ['disabled', 'all'] as const) {
            const { y } = await outputsAt(conversion.model, made.feeds, level);
            assert.deepEqual(y!.dims, fp32['y']!.dims);
            // One value rounded the other way, by a difference in the last bit, is all that may differ.
            assert.ok(sqnr(expected, y!) > 55, `${sqnr(expected, y!)} dB at ${level}`);
            assert.ok(sqnr(fp32['y']!.data as Float32Array, y!) > 15);
          }
          assert.equal(await statusOf(made, settings), 'quantized DynamicQuantizeLSTM');
        });
      }
    }

    test(`${direction}: lengths and every choice of outputs`, async () => {
      for (const outputs of [['y'], ['', 'h'], ['', '', 'c'], ['y', 'h', 'c']] as const) {
        const made = build({ direction, bias: true, states: true, lengths: [5, 2, 4], outputs });
        const { conversion } = await quantize(made.model, [made.feeds], { mode: 'dynamic' });
        const fp32 = await outputsAt(made.model, made.feeds, 'disabled');
        const int8 = await outputsAt(conversion.model, made.feeds, 'all');
        for (const [name, { dims, data }] of Object.entries(fp32)) {
          assert.deepEqual(int8[name]!.dims, dims);
          assert.ok(sqnr(data as Float32Array, int8[name]!) > 25, `${name} ${sqnr(data as Float32Array, int8[name]!)}`);
        }
      }
    });
  }

  test('takes every kind of weights', async () => {
    const made = build({ direction: 'bidirectional', bias: true });
    const fp32 = await outputsAt(made.model, made.feeds, 'disabled');
    for (const type of ['int8', 'uint8'] as const) {
      for (const symmetric of [true, false]) {
        for (const reduceRange of [true, false]) {
          const settings: Settings = { mode: 'dynamic', weights: { type, symmetric, reduceRange } };
          const { conversion } = await quantize(made.model, [made.feeds], settings, true);
          const { y } = await outputsAt(conversion.model, made.feeds, 'all');
          const found = sqnr(fp32['y']!.data as Float32Array, y!);
          assert.ok(found > 20, `${JSON.stringify(settings.weights)}: ${found} dB`);
        }
      }
    }
  });

  test('is a quarter of the size, and its float weights are gone', async () => {
    const [size, hidden] = [64, 64];
    const model = buildModel({
      opset: 14,
      inputs: { x: [2, 1, size] },
      constants: { w: tensor([1, 4 * hidden, size]), r: tensor([1, 4 * hidden, hidden]) },
      nodes: [node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: hidden })],
      outputs: ['y'],
    });
    const { conversion } = await quantize(model, [{ x: tensor([2, 1, size]) }], { mode: 'dynamic' });
    const weights = new Graph(conversion.model).proto.initializer.filter(
      ({ dims }) => elementCount(dims.map(Number)) > 1000,
    );
    assert.deepEqual(
      weights.map(({ dims }) => dims.map(Number)),
      [
        [1, size, 4 * hidden],
        [1, hidden, 4 * hidden],
      ],
    );
    assert.ok(serializeModel(conversion.model).length < 0.3 * serializeModel(model).length);
    assert.deepEqual(
      [conversion.weights.get('LSTM_of_y')?.tensor, conversion.weights.get('LSTM_of_y')?.recurrence?.tensor],
      ['w', 'r'],
    );
  });

  test('stays in float where a weight is no constant', async () => {
    const dims = { x: [2, 1, 3], w: [1, 16, 3], r: [1, 16, 4] };
    for (const constant of ['w', 'r'] as const) {
      const model = buildModel({
        opset: 14,
        inputs: Object.fromEntries(Object.entries(dims).filter(([name]) => name !== constant)),
        constants: { [constant]: tensor(dims[constant]) },
        nodes: [node('LSTM', ['x', 'w', 'r'], ['y'], { hidden_size: 4 })],
        outputs: ['y'],
      });
      const { plan } = await planOf(model, { mode: 'dynamic' });
      assert.equal(layerOf(plan, 'LSTM_of_y').reason, 'dynamic-weight', constant);
    }
  });
});

describe('recurrent layers', () => {
  test('in static mode the LSTM is sent to dynamic, and the others to weight-only, where they run', async () => {
    for (const [op, reason, mode] of [
      ['LSTM', 'needs-dynamic', 'dynamic'],
      ['GRU', 'weight-only-at-most', 'weight-only'],
      ['RNN', 'weight-only-at-most', 'weight-only'],
    ] as const) {
      const { model } = build({ direction: 'forward' }, op);
      for (const asked of ['static', 'dynamic'] as const) {
        if (asked === mode) continue;
        assert.equal(layerOf((await planOf(model, { mode: asked })).plan, 'layer').reason, reason, `${op} ${asked}`);
      }
      const { plan } = await planOf(model, { layers: [{ select: 'layer', mode }] });
      assert.equal(layerOf(plan, 'layer').quantize, true, op);
    }
  });

  for (const op of ['LSTM', 'GRU', 'RNN'] as const) {
    test(`${op}: weight-only rounds both weights and nothing else`, async () => {
      for (const direction of DIRECTIONS) {
        const made = build({ direction, bias: true, states: true }, op);
        const { conversion } = await quantize(made.model, [made.feeds], { mode: 'weight-only' });
        assert.deepEqual(opsOf(conversion.model).toSorted(), ['DequantizeLinear', 'DequantizeLinear', op]);
        const rounded = build({ direction, bias: true, states: true }, op).model;
        const stored = new Graph(rounded).proto.initializer;
        const fake = (name: string): Tensor => {
          const { dims, data } = fakeQuantizeWeight(made.constants[name]!, 1).weight;
          return makeTensor('float32', dims, Float32Array.from(data));
        };
        for (const initializer of stored) {
          const { name } = initializer;
          const { data } = name === 'w' || name === 'r' ? fake(name) : made.constants[name]!;
          initializer.rawData = new Uint8Array(Float32Array.from(data as Float32Array).buffer);
        }
        const expected = await outputsAt(rounded, made.feeds, 'disabled');
        const int8 = await outputsAt(conversion.model, made.feeds, 'all');
        for (const [name, { data }] of Object.entries(expected)) {
          assert.ok(sqnr(data as Float32Array, int8[name]!) > 90, `${direction} ${name}`);
        }
        assert.match(await statusOf(made, { mode: 'weight-only' }), /^quantized/);
      }
    });
  }
});
