/**
 * Σx², Σy² and Σ(x−y)² of a tensor and what approximates it, as WebAssembly with vector instructions, since
 * comparing two models otherwise costs as much as running them. A dequantized value is rounded to float32,
 * everything after that is float64.
 */

import { instantiate, op, PAGE, TYPE, type Code } from '../wasm';

/** Integers with the one scale and zero point of an activation: value = (q − zeroPoint) · scale. */
export interface Quantized {
  readonly data: Uint8Array | Int8Array | Uint16Array | Int16Array;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Σx², Σy² and Σ(x−y)², all in float64, and of how many values. */
export interface Sums {
  compared: number;
  reference: number;
  approximation: number;
  error: number;
}

/** Of two tensors of one length, over the positions where `x` is finite; a `y` that is not finite there is an infinite error. */
export function sumsOf(x: Float32Array, y: Float32Array | Quantized): Sums {
  const sums = sumsOfAll(x, y);
  // Non-finite values make the sums so; only then is it worth asking of every position.
  return Number.isFinite(sums.reference + sums.approximation + sums.error) ? sums : sumsOfFinite(x, valuesOf(y));
}

/** As the runtime's DequantizeLinear: the product rounded to float32. */
export function dequantize({ data, scale, zeroPoint }: Quantized): Float32Array {
  const values = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) values[i] = (data[i]! - zeroPoint) * scale;
  return values;
}

const valuesOf = (y: Float32Array | Quantized): Float32Array => (y instanceof Float32Array ? y : dequantize(y));

function sumsOfAll(x: Float32Array, y: Float32Array | Quantized): Sums {
  const sums: Sums = { compared: x.length, reference: 0, approximation: 0, error: 0 };
  const done = addVectors(sums, x, y);
  const rest = y instanceof Float32Array ? y.subarray(done) : { ...y, data: y.data.subarray(done) };
  if (done < x.length) addOneByOne(sums, x.subarray(done), valuesOf(rest));
  return sums;
}

function addOneByOne(into: Sums, x: Float32Array, y: Float32Array): void {
  let { reference, approximation, error } = into;
  for (let i = 0; i < x.length; i++) {
    const a = x[i]!;
    const b = y[i]!;
    reference += a * a;
    approximation += b * b;
    error += (a - b) * (a - b);
  }
  Object.assign(into, { reference, approximation, error });
}

/** A NaN that approximates a finite value is as far off as an infinity. */
function sumsOfFinite(x: Float32Array, y: Float32Array): Sums {
  const finite = (i: number): boolean => Number.isFinite(x[i]);
  const sums = sumsOfAll(
    x.map((value, i) => (finite(i) ? value : 0)),
    y.map((value, i) => (finite(i) ? value : 0)),
  );
  sums.compared = x.reduce((count, value) => count + Number(Number.isFinite(value)), 0);
  return Number.isNaN(sums.error) ? { ...sums, approximation: Infinity, error: Infinity } : sums;
}

/** Values of both sides per chunk: 64 KB each at most, so that they stay in the cache. */
const CHUNK = 16384;
const PARAMETERS = 0;
const RESULT = 32;
const REFERENCE = 128;
const APPROXIMATION = REFERENCE + 4 * CHUNK;
const PAGES = Math.ceil((APPROXIMATION + 4 * CHUNK) / PAGE);

/** How four values of the approximation at `q` become two vectors of two float64. */
type Reader = (q: number, low: number, high: number) => Code;

const readFloats: Reader = (q, low, high) => [
  [op.get(q), op.v128Load64(), op.f64FromF32, op.set(low)],
  [op.get(q), op.v128Load64(8), op.f64FromF32, op.set(high)],
];

/** (q − zero point) · scale, as the runtime's DequantizeLinear. */
const readBytes =
  (extend: Code): Reader =>
  (q, low, high) => [
    [op.get(q), op.v128Load32(), extend, op.extendS16, op.f32FromI32],
    [op.i32Const(PARAMETERS), op.v128Load(), op.f32Sub, op.i32Const(PARAMETERS), op.v128Load(16), op.f32Mul],
    [op.tee(low), op.get(low), op.upperHalves, op.f64FromF32, op.set(high), op.get(low), op.f64FromF32, op.set(low)],
  ];

/** From the start of both arrays to `end` of the reference; one value of the approximation has so many bytes. */
function sumsLoop(bytes: number, read: Reader): Code {
  const [end, p, q, xLow, xHigh, yLow, yHigh] = [0, 1, 2, 3, 4, 5, 6] as const;
  const firstSum = 7;
  const square = (value: Code, sum: number): Code => [value, op.f64Mul, op.get(sum), op.f64Add, op.set(sum)];
  const halves = [
    [xLow, yLow],
    [xHigh, yHigh],
  ] as const;
  const body = [
    [op.get(p), op.v128Load64(), op.f64FromF32, op.set(xLow)],
    [op.get(p), op.v128Load64(8), op.f64FromF32, op.set(xHigh)],
    read(q, yLow, yHigh),
    halves.map(([x, y], half) => [
      square([op.get(x), op.get(x)], firstSum + 3 * half),
      square([op.get(y), op.get(y)], firstSum + 3 * half + 1),
      square([op.get(x), op.get(y), op.f64Sub, op.tee(x), op.get(x)], firstSum + 3 * half + 2),
    ]),
    [op.get(q), op.i32Const(4 * bytes), op.i32Add, op.set(q)],
    [op.get(p), op.i32Const(16), op.i32Add, op.tee(p), op.get(end), op.i32LessU],
  ];
  const results = [0, 1, 2].map((k) => [
    [op.i32Const(RESULT + 16 * k), op.get(firstSum + k), op.get(firstSum + 3 + k), op.f64Add, op.v128Store()],
  ]);
  return [
    [op.i32Const(REFERENCE), op.set(p), op.i32Const(APPROXIMATION), op.set(q)],
    [op.repeatWhile(body), results],
  ];
}

/** Up to an address in the reference. */
type Loop = (end: number) => void;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly floats: Loop;
  readonly signed: Loop;
  readonly unsigned: Loop;
}

const { i32, v128 } = TYPE;
const LOCALS = [i32, i32, ...Array<number>(10).fill(v128)];
/** Undefined where there are no vector instructions. */
export const vectorSums = instantiate(PAGES, [
  { name: 'floats', parameters: 1, locals: LOCALS, body: sumsLoop(4, readFloats) },
  { name: 'signed', parameters: 1, locals: LOCALS, body: sumsLoop(1, readBytes(op.extendS8)) },
  { name: 'unsigned', parameters: 1, locals: LOCALS, body: sumsLoop(1, readBytes(op.extendU8)) },
]) as Exports | undefined;

/**
 * Adds the sums over the longest beginning of both that is a multiple of four.
 * @returns how many values that were: 0 without vector instructions, and for 16-bit integers, which are rare
 */
function addVectors(into: Sums, x: Float32Array, y: Float32Array | Quantized): number {
  const floats = y instanceof Float32Array;
  const data = floats ? y : y.data;
  if (vectorSums === undefined || data instanceof Uint16Array || data instanceof Int16Array) return 0;
  const loop = floats ? vectorSums.floats : data instanceof Int8Array ? vectorSums.signed : vectorSums.unsigned;
  const { buffer } = vectorSums.memory;
  const reference = new Float32Array(buffer, REFERENCE, CHUNK);
  const approximation = new (floats ? Float32Array : data instanceof Int8Array ? Int8Array : Uint8Array)(
    buffer,
    APPROXIMATION,
    CHUNK,
  );
  const result = new Float64Array(buffer, RESULT, 6);
  if (!floats) new Float32Array(buffer, PARAMETERS, 8).fill(y.zeroPoint, 0, 4).fill(y.scale, 4);
  const whole = x.length - (x.length % 4);
  for (let start = 0; start < whole; start += CHUNK) {
    const end = Math.min(whole, start + CHUNK);
    reference.set(x.subarray(start, end));
    approximation.set(data.subarray(start, end));
    loop(REFERENCE + 4 * (end - start));
    into.reference += result[0]! + result[1]!;
    into.approximation += result[2]! + result[3]!;
    into.error += result[4]! + result[5]!;
  }
  return whole;
}
