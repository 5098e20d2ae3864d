/** JSONL (one object of named tensors a line) and JSON (an array of such objects). */

import { open, readFile, stat } from 'node:fs/promises';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import { readRange } from './arrays';
import { extensionOf, type SourceFile } from './files';
import type { InputInfo, Item } from './types';
import { feedsOfObject } from './values';

/** A JSON array is parsed as a whole; JSONL has no limit. */
const MAX_JSON_BYTES = 256 * 2 ** 20;

const LINE_FEED = 0x0a;

/** @throws `data-invalid` where a .json file holds no array */
export async function jsonItems(file: SourceFile, inputs: readonly InputInfo[]): Promise<Item[]> {
  return extensionOf(file) === '.json' ? elementItems(file, inputs) : lineItems(file, inputs);
}

async function elementItems(file: SourceFile, inputs: readonly InputInfo[]): Promise<Item[]> {
  const { size } = await stat(file.path);
  if (size > MAX_JSON_BYTES) {
    throw new QuantscopeError(
      'data-invalid',
      `${file.id} is too large for JSON: write one sample per line as .jsonl, or .npz.`,
    );
  }
  const values = await readFile(file.path, 'utf8')
    .then(parse)
    .catch((error: unknown) => {
      throw new QuantscopeError('data-invalid', `${file.id} is not JSON: ${toQuantscopeError(error).message}`);
    });
  if (!Array.isArray(values)) throw new QuantscopeError('data-invalid', `${file.id} is not an array of samples.`);
  return values.map((value: unknown, index) => {
    const id = `${file.id}#${index}`;
    return {
      id,
      path: file.path,
      files: [file.path],
      read: () => Promise.resolve().then(() => feedsOfObject(value, inputs, id)),
    };
  });
}

/** Remembers only where the lines are, so that a file of any size can be streamed. */
async function lineItems(file: SourceFile, inputs: readonly InputInfo[]): Promise<Item[]> {
  const lines = await findLines(file.path);
  return lines.map(({ start, end }, index) => {
    const id = `${file.id}#${index}`;
    const read: Item['read'] = async () => {
      const text = (await readRange(file.path, start, end - start)).toString('utf8');
      return feedsOfObject(parse(text), inputs, id);
    };
    return { id, path: file.path, files: [file.path], read };
  });
}

function parse(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
}

/** Byte ranges of the lines that hold more than white space. */
async function findLines(path: string): Promise<{ start: number; end: number }[]> {
  const lines: { start: number; end: number }[] = [];
  const file = await open(path);
  try {
    let position = 0;
    let start = 0;
    let blank = true;
    const endLine = (end: number): void => {
      if (!blank) lines.push({ start, end });
      start = end + 1;
      blank = true;
    };
    for await (const chunk of file.createReadStream({
      autoClose: false,
      highWaterMark: 2 ** 20,
    }) as AsyncIterable<Buffer>) {
      for (let i = 0; i < chunk.length; i++) {
        const byte = chunk[i]!;
        if (byte === LINE_FEED) endLine(position + i);
        else if (byte > 0x20) blank = false;
      }
      position += chunk.length;
    }
    endLine(position);
  } finally {
    await file.close();
  }
  return lines;
}
