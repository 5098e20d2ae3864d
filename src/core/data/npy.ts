/** NumPy's .npy format (numpy/lib/format.py, versions 1 to 3), read without evaluating anything. */

import { allocate, bytesPerElement, elementCount, type ElementType, type Tensor } from '../tensor';

/** Enough for every header NumPy writes; a version 1 header is at most 64 KiB. */
export const MAX_HEADER_BYTES = 1 << 16;

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

const TYPES: Readonly<Record<string, ElementType>> = {
  b1: 'bool',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

export interface NpyHeader {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly fortranOrder: boolean;
  readonly bigEndian: boolean;
  /** Where the values start, in bytes from the start of the file. */
  readonly offset: number;
}

/**
 * Reads the header from the first bytes of a file.
 * @param fileSize of the whole file in bytes: a shape that claims more is refused before anything is allocated
 * @throws Error naming what is wrong; object, structured, complex and text arrays are refused
 */
export function parseNpyHeader(bytes: Uint8Array, fileSize: number): NpyHeader {
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length)) || bytes.length < 10)
    throw new Error('The file is not a NumPy array.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw new Error(`NumPy format version ${version} is not known.`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new Error('The NumPy header is cut off.');
  const offset = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (offset > bytes.length)
    throw new Error(offset > MAX_HEADER_BYTES ? 'The NumPy header is too long.' : 'The NumPy header is cut off.');
  const text = Buffer.from(bytes.subarray(start, offset)).toString('latin1');
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\S))/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (descr === null || order === null || shape === null) throw new Error('The NumPy header is damaged.');
  const [, name = ''] = descr;
  const type =
    Object.hasOwn(TYPES, name.slice(1)) && '<>|='.includes(name.charAt(0)) ? TYPES[name.slice(1)] : undefined;
  if (type === undefined) throw new Error(refusal(name));
  const dims = (shape[1] ?? '')
    .split(',')
    .map((dim) => dim.trim())
    .filter((dim) => dim !== '')
    .map((dim) => Number.parseInt(dim, 10));
  const size = elementCount(dims) * bytesPerElement(type);
  if (!Number.isSafeInteger(size) || offset + size > fileSize) {
    throw new Error(
      `The NumPy array of shape [${dims.join(', ')}] needs ${size} bytes, the file has ${Math.max(fileSize - offset, 0)}.`,
    );
  }
  return { type, dims, fortranOrder: order[1] === 'True', bigEndian: name.startsWith('>'), offset };
}

function refusal(descr: string): string {
  if (/^[|<>=]?O/.test(descr))
    return 'Object arrays are refused: they are pickles, which run code. Save numbers instead.';
  if (descr === '') return 'Structured arrays are not supported: save one array of numbers per input.';
  return `NumPy type "${descr}" is not supported.`;
}

/** The values of rows `start` … `start + rows` of a C-ordered array, given exactly their bytes, which are copied. */
export function npyRows(header: NpyHeader, bytes: Uint8Array, dims: readonly number[]): Tensor {
  const data = allocate(header.type, elementCount(dims));
  const target = Buffer.from(data.buffer);
  target.set(bytes);
  const width = bytesPerElement(header.type);
  if (header.bigEndian && width === 2) target.swap16();
  if (header.bigEndian && width === 4) target.swap32();
  if (header.bigEndian && width === 8) target.swap64();
  return { type: header.type, dims, data };
}

/** A whole .npy file as a row-major tensor. Errors as {@link parseNpyHeader}. */
export function readNpy(bytes: Uint8Array): Tensor {
  const header = parseNpyHeader(bytes, bytes.length);
  const size = elementCount(header.dims) * bytesPerElement(header.type);
  const tensor = npyRows(header, bytes.subarray(header.offset, header.offset + size), header.dims);
  return header.fortranOrder ? fromFortranOrder(tensor) : tensor;
}

/** From first index fastest to last index fastest. */
function fromFortranOrder(tensor: Tensor): Tensor {
  const { type, dims, data } = tensor;
  if (dims.length < 2) return tensor;
  const out = allocate(type, data.length);
  const strides: number[] = [];
  let stride = 1;
  for (const dim of dims) {
    strides.push(stride);
    stride *= dim;
  }
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      from += strides[axis]!;
      if (index[axis]! < dims[axis]!) break;
      from -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return { type, dims, data: out };
}
