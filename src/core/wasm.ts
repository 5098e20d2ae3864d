/**
 * As much of the WebAssembly binary format (webassembly.github.io/spec/core/binary) as our loops with
 * vector instructions need: `calibrate/simd.ts` and `analyze/sums.ts`. JavaScript engines check every
 * array index and know no vectors; compiling a few lines at start-up needs no tool and no binary file.
 */

/** Code is nested freely and flattened at the end. */
export type Code = number | readonly Code[];

/** Bytes of a page of memory. */
export const PAGE = 65536;

export const TYPE = { i32: 0x7f, v128: 0x7b } as const;
const FUNCTION_TYPE = 0x60;
const EMPTY_BLOCK = 0x40;
const SECTION = { type: 1, function: 3, memory: 5, export: 7, code: 10 } as const;
const EXPORT_KIND = { function: 0, memory: 2 } as const;
const END = 0x0b;

const flatten = (code: Code): number[] => (typeof code === 'number' ? [code] : code.flatMap(flatten));

function unsigned(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >>> 7;
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)];
}

function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  return rest === (low & 0x40 ? -1 : 0) ? [low] : [low | 0x80, ...signed(rest)];
}

const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];
const sized = (body: Code): Code => {
  const bytes = flatten(body);
  return [unsigned(bytes.length), bytes];
};
const section = (id: number, items: readonly Code[]): Code => [id, sized(vector(items))];
const name = (text: string): Code => vector([...new TextEncoder().encode(text)]);

const vectorOp = (opcode: number): Code => [0xfd, unsigned(opcode)];
/** Alignment is a hint; 2 stands for four bytes. */
const access = (offset: number): Code => [2, unsigned(offset)];

/** Instructions by their names in the specification. */
export const op = {
  get: (local: number): Code => [0x20, local],
  set: (local: number): Code => [0x21, local],
  tee: (local: number): Code => [0x22, local],
  i32Const: (value: number): Code => [0x41, signed(value)],
  i32Add: 0x6a,
  i32Load: (offset = 0): Code => [0x28, access(offset)],
  i32Store: (offset = 0): Code => [0x36, access(offset)],
  v128Load: (offset = 0): Code => [vectorOp(0), access(offset)],
  /** Fills the low lanes with so many bits, the rest with 0. */
  v128Load32: (offset = 0): Code => [vectorOp(92), access(offset)],
  v128Load64: (offset = 0): Code => [vectorOp(93), access(offset)],
  v128Store: (offset = 0): Code => [vectorOp(11), access(offset)],
  /** Four 32-bit lanes. */
  v128Const: (lanes: readonly number[]): Code => [vectorOp(12), [...new Uint8Array(Int32Array.from(lanes).buffer)]],
  v128And: vectorOp(78),
  splat: vectorOp(17),
  extractLane: (lane: number): Code => [vectorOp(27), lane],
  /** The upper halves of two vectors. */
  upperHalves: [vectorOp(13), [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]] as Code,
  shl: vectorOp(171),
  shrS: vectorOp(172),
  shrU: vectorOp(173),
  add: vectorOp(174),
  sub: vectorOp(177),
  minS: vectorOp(182),
  maxS: vectorOp(184),
  maxU: vectorOp(185),
  /** The low eight bytes as eight 16-bit lanes, and the low four of those as four 32-bit lanes. */
  extendS8: vectorOp(135),
  extendU8: vectorOp(137),
  extendS16: vectorOp(167),
  f32FromI32: vectorOp(250),
  f32Sub: vectorOp(229),
  f32Mul: vectorOp(230),
  /** The low two float32 as float64. */
  f64FromF32: vectorOp(95),
  f64Add: vectorOp(240),
  f64Sub: vectorOp(241),
  f64Mul: vectorOp(242),
  /** Repeats the body while it leaves a value other than 0. */
  repeatWhile: (body: Code): Code => [0x03, EMPTY_BLOCK, body, 0x0d, 0, END],
  i32LessU: 0x49,
} as const;

interface WasmFunction {
  readonly name: string;
  /** So many i32 parameters, the first locals. No result. */
  readonly parameters: number;
  readonly locals: readonly number[];
  readonly body: Code;
}

/** What is used of the global; its types otherwise come only with those of the browser. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
  validate(bytes: Uint8Array): boolean;
};

/**
 * `memory`, of so many pages, and every function by its name. Undefined where the processor or the engine has no vector instructions.
 */
export function instantiate(pages: number, functions: readonly WasmFunction[]): object | undefined {
  const bytes = wasmModule(pages, functions);
  if (!WebAssembly.validate(bytes)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
}

function wasmModule(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    FUNCTION_TYPE,
    vector(Array<number>(parameters).fill(TYPE.i32)),
    vector([]),
  ]);
  const exported = functions.map((each, index) => [name(each.name), EXPORT_KIND.function, index]);
  const bodies = functions.map(({ locals, body }) => sized([vector(locals.map((type) => [1, type])), body, END]));
  return Uint8Array.from(
    flatten([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(SECTION.type, types),
      section(
        SECTION.function,
        functions.map((_, index) => index),
      ),
      section(SECTION.memory, [[0, unsigned(pages)]]),
      section(SECTION.export, [[name('memory'), EXPORT_KIND.memory, 0], ...exported]),
      section(SECTION.code, bodies),
    ]),
  );
}
