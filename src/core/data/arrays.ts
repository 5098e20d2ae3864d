/** Samples out of arrays: which axis counts samples, and how one sample is cut out. */

import { open, readFile } from 'node:fs/promises';
import { QuantscopeError } from '../../shared/errors';
import { bytesPerElement, elementCount, type Tensor } from '../tensor';
import { describeInput } from './fit';
import { MAX_HEADER_BYTES, npyRows, parseNpyHeader, readNpy } from './npy';
import type { InputInfo } from './types';

/** An array of which rows (indices of the first axis) can be read without the rest. */
export interface RowArray {
  readonly dims: readonly number[];
  rows(start: number, count: number): Promise<Tensor>;
}

export function rowsOfTensor(tensor: Tensor): RowArray {
  const { type, dims, data } = tensor;
  const rowLength = elementCount(dims.slice(1));
  const rows = (start: number, count: number): Promise<Tensor> =>
    Promise.resolve({
      type,
      dims: [count, ...dims.slice(1)],
      data: data.slice(start * rowLength, (start + count) * rowLength),
    });
  return { dims, rows };
}

/**
 * A .npy file of any size. Rows of a C-ordered array are read from the disk one by one; a Fortran-ordered one
 * has its rows scattered all over the file and is held in memory.
 * @throws Error as `parseNpyHeader`
 */
export async function openNpy(path: string): Promise<RowArray> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = Buffer.alloc(Math.min(size, MAX_HEADER_BYTES));
    await file.read(start, 0, start.length, 0);
    const header = parseNpyHeader(start, size);
    if (header.fortranOrder || header.dims.length === 0) return rowsOfTensor(readNpy(await readFile(path)));
    const { dims } = header;
    const rowBytes = elementCount(dims.slice(1)) * bytesPerElement(header.type);
    const rows = async (first: number, count: number): Promise<Tensor> => {
      const bytes = await readRange(path, header.offset + first * rowBytes, count * rowBytes);
      return npyRows(header, bytes, [count, ...dims.slice(1)]);
    };
    return { dims, rows };
  } finally {
    await file.close();
  }
}

/** Exactly the bytes asked for. @throws Error where the file has become shorter */
export async function readRange(path: string, start: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, start);
    if (bytesRead !== length) throw new Error(`The file ends ${length - bytesRead} bytes too early.`);
    return bytes;
  } finally {
    await file.close();
  }
}

/** How an array becomes samples: whole, or `count` times `rows` rows, without the first axis where `drop`. */
export interface Split {
  readonly count: number;
  readonly rows: number;
  readonly drop: boolean;
  /** Rows at the end that fill no batch. */
  readonly left: number;
}

const WHOLE = null;

/**
 * One rank more than the input: the first axis counts samples. The same rank: it counts the rows of batches
 * (a symbolic batch is 1), unless the array is one batch already. Less: the array is one sample (`null`).
 */
export function splitArray(dims: readonly number[], input: InputInfo): Split | null {
  const [first] = dims;
  const rank = input.shape.length;
  if (first === undefined || dims.length < rank) return WHOLE;
  if (dims.length > rank) return { count: first, rows: 1, drop: true, left: 0 };
  const [fixed] = input.shape;
  const batch = typeof fixed === 'number' && fixed > 0 ? fixed : 1;
  if (first === batch) return WHOLE;
  return { count: Math.floor(first / batch), rows: batch, drop: false, left: first % batch };
}

/** Sample `index` of an array split so. */
export async function sampleOf(array: RowArray, split: Split | null, index: number): Promise<Tensor> {
  if (split === null) {
    // A scalar has no first axis; its one value is row 0 of the tensor it was made from.
    const [rows = 1] = array.dims;
    return { ...(await array.rows(0, rows)), dims: array.dims };
  }
  const tensor = await array.rows(index * split.rows, split.rows);
  return split.drop ? { ...tensor, dims: tensor.dims.slice(1) } : tensor;
}

/** Number of samples in arrays that belong together; those with one sample only are fed with every sample. */
export function commonCount(
  arrays: readonly { readonly input: InputInfo; readonly split: Split | null }[],
  where: string,
): number {
  const counted = arrays.filter(({ split }) => split !== null);
  const counts = new Set(counted.map(({ split }) => split?.count));
  if (counts.size > 1) {
    const list = counted.map(({ input, split }) => `${split?.count} for ${describeInput(input)}`);
    throw new QuantscopeError(
      'data-invalid',
      `The arrays of ${where} hold different numbers of samples: ${list.join(', ')}.`,
    );
  }
  return counted[0]?.split?.count ?? 1;
}
