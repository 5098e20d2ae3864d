/**
 * The loops of `kernel.ts` as WebAssembly with vector instructions: three to four times as fast,
 * which makes measuring cheap beside the inference.
 */

import { instantiate, op, PAGE, TYPE, type Code } from '../wasm';
import { extremesFrom, KEY_SHIFT, MAGNITUDE, SIDE, type Counts, type Extremes } from './kernel';

const LANES = [0, 1, 2, 3] as const;
/**
 * Slot 0 is there four times, once a lane: after a ReLU half of all values are zeros, and
 * incrementing one cell again and again waits for memory each time. The other slots lie 3 further.
 */
const ZERO_SLOTS = LANES.length;
const STRIDE = SIDE + ZERO_SLOTS;
const FIRST = ZERO_SLOTS - 1;

/** Values per chunk: 64 KB, so that the second loop finds them in the cache. */
export const CHUNK = 16384;
const INPUT = 4 * 2 * STRIDE;
const RESULT = INPUT + 4 * CHUNK;
const PAGES = Math.ceil((RESULT + 3 * 16) / PAGE);

/** Walks p from the start of the input to `end` in steps of four values. */
const overInput = (p: number, end: number, body: Code): Code => [
  op.i32Const(INPUT),
  op.set(p),
  op.repeatWhile([body, op.get(p), op.i32Const(16), op.i32Add, op.tee(p), op.get(end), op.i32LessU]),
];

function extremesLoop(): Code {
  const [end, p, x, highest, lowest, highestUnsigned] = [0, 1, 2, 3, 4, 5] as const;
  const update = (local: number, by: Code): Code => [op.get(local), op.get(x), by, op.set(local)];
  const start = [op.i32Const(INPUT), op.v128Load(), op.tee(highest), op.tee(lowest), op.set(highestUnsigned)];
  const body = [
    op.get(p),
    op.v128Load(),
    op.set(x),
    update(highest, op.maxS),
    update(lowest, op.minS),
    update(highestUnsigned, op.maxU),
  ];
  const results = [highest, lowest, highestUnsigned].map((local, k) => [
    op.i32Const(RESULT + 16 * k),
    op.get(local),
    op.v128Store(),
  ]);
  return [start, overInput(p, end, body), results];
}

function accumulateLoop(): Code {
  const [end, base, negativeFrom, p, address, x, slots] = [0, 1, 2, 3, 4, 5, 6] as const;
  const constant = (value: number): Code => [op.i32Const(value), op.splat];
  const body = [
    [op.get(p), op.v128Load(), op.set(x)],
    [op.get(x), constant(MAGNITUDE), op.v128And, op.i32Const(KEY_SHIFT), op.shrU, op.get(base), op.splat, op.sub],
    [op.v128Const(LANES), op.maxS],
    [op.get(x), op.i32Const(31), op.shrS, op.get(negativeFrom), op.splat, op.v128And, op.add],
    [op.i32Const(2), op.shl, op.set(slots)],
    LANES.map((lane) => [
      [op.get(slots), op.extractLane(lane), op.tee(address), op.get(address), op.i32Load()],
      [op.i32Const(1), op.i32Add, op.i32Store()],
    ]),
  ];
  return overInput(p, end, body);
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  extremes(end: number): void;
  accumulate(end: number, base: number, negativeFrom: number): void;
}

/** One histogram and one chunk of values at a time: load the counts, hand in chunks, store the counts. */
export class SimdKernel {
  readonly #run: Exports;
  readonly #counts: Uint32Array;
  readonly #input: Int32Array;
  readonly #result: Int32Array;
  #end = INPUT;

  private constructor(run: Exports) {
    const { buffer } = run.memory;
    this.#run = run;
    this.#counts = new Uint32Array(buffer, 0, 2 * STRIDE);
    this.#input = new Int32Array(buffer, INPUT, CHUNK);
    this.#result = new Int32Array(buffer, RESULT, 12);
  }

  /** Undefined where the processor or the engine has no vector instructions. */
  static create(): SimdKernel | undefined {
    const { i32, v128 } = TYPE;
    const run = instantiate(PAGES, [
      { name: 'extremes', parameters: 1, locals: [i32, v128, v128, v128, v128], body: extremesLoop() },
      { name: 'accumulate', parameters: 3, locals: [i32, i32, v128, v128], body: accumulateLoop() },
    ]);
    return run && new SimdKernel(run as Exports);
  }

  loadCounts(counts: Counts): void {
    for (let side = 0; side * SIDE < counts.length; side++) {
      this.#counts.fill(0, side * STRIDE, side * STRIDE + FIRST);
      this.#counts.set(counts.subarray(side * SIDE, (side + 1) * SIDE), side * STRIDE + FIRST);
    }
  }

  storeCounts(counts: Counts): void {
    for (let side = 0; side * SIDE < counts.length; side++) {
      const start = side * STRIDE;
      counts.set(this.#counts.subarray(start + FIRST, start + STRIDE - 1), side * SIDE);
      for (let k = 0; k < FIRST; k++) counts[side * SIDE]! += this.#counts[start + k]!;
    }
  }

  /** Takes a chunk, a multiple of four values and at most CHUNK of them, and gives its extremes. */
  takeChunk(bits: Int32Array): Extremes {
    this.#input.set(bits);
    this.#end = INPUT + 4 * bits.length;
    this.#run.extremes(this.#end);
    const lane = (at: number): Int32Array => this.#result.subarray(at, at + LANES.length);
    const unsigned = Math.max(...new Uint32Array(lane(8)));
    return extremesFrom(Math.min(...lane(4)), Math.max(...lane(0)), unsigned | 0);
  }

  /** Counts the chunk taken, as `accumulate`; `negatives` where the counts have a second half. */
  countChunk(base: number, negatives: boolean): void {
    this.#run.accumulate(this.#end, base - FIRST, negatives ? STRIDE : 0);
  }
}
