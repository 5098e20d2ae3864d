/** External tensor data: read on demand, and only from inside the model's folder. */

import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { QuantscopeError } from '../../shared/errors';
import type { TensorProto } from './generated/onnx_pb';

export interface ExternalLocation {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Where a tensor's bytes lie. A model file is untrusted: its `location` must be relative, stay
 * inside the folder, still do so once symbolic links are resolved, and be a plain file (opening a
 * pipe would wait for ever).
 * @param expectedBytes what type and shape need; `undefined` for element types of no known size
 * @throws `external-data-unsafe`, `external-data-missing`, `model-invalid`
 */
export function resolveExternal(
  proto: TensorProto,
  expectedBytes: number | undefined,
  folder: string | undefined,
): ExternalLocation {
  const entries = new Map(proto.externalData.map((entry) => [entry.key, entry.value]));
  const location = entries.get('location') ?? '';
  if (folder === undefined) {
    throw new QuantscopeError(
      'external-data-missing',
      `Tensor "${proto.name}" lies in "${location}", but the model has no folder.`,
    );
  }
  const unsafe = (why: string): QuantscopeError =>
    new QuantscopeError('external-data-unsafe', `Tensor "${proto.name}" asks for the file "${location}", ${why}.`);
  // Windows separators and drive letters count on every platform: a model travels.
  if (location === '' || location.includes('\0')) throw unsafe('which is not a file name');
  if (path.isAbsolute(location) || path.win32.isAbsolute(location) || /^[a-z]:/i.test(location))
    throw unsafe('an absolute path');
  if (location.split(/[\\/]/).includes('..')) throw unsafe('which climbs out of the folder of the model');

  let file: string;
  try {
    const root = realpathSync(folder);
    file = realpathSync(path.join(root, location));
    const inside = root.endsWith(path.sep) ? root : root + path.sep;
    if (!file.startsWith(inside)) throw unsafe('a link out of the folder of the model');
    if (!statSync(file).isFile()) throw unsafe('which is not a plain file');
  } catch (error) {
    if (error instanceof QuantscopeError) throw error;
    throw new QuantscopeError(
      'external-data-missing',
      `Tensor "${proto.name}" lies in "${location}", which cannot be opened.`,
      { cause: error },
    );
  }
  const offset = integerEntry(entries.get('offset'), 0, proto.name);
  const length = integerEntry(entries.get('length'), expectedBytes, proto.name);
  if (expectedBytes !== undefined && length !== expectedBytes) {
    throw new QuantscopeError(
      'model-invalid',
      `Tensor "${proto.name}" names ${length} external bytes where its shape needs ${expectedBytes}.`,
    );
  }
  return { file, offset, length };
}

function integerEntry(text: string | undefined, fallback: number | undefined, name: string): number {
  if (text === undefined && fallback !== undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text ?? '') || !Number.isSafeInteger(value)) {
    throw new QuantscopeError('model-invalid', `Tensor "${name}" has the external offset or length "${text ?? ''}".`);
  }
  return value;
}

/**
 * The bytes of an external tensor. Nothing is allocated before the file is known to hold that much.
 * @throws `external-data-unsafe`, `external-data-missing`, `model-invalid`, `out-of-memory`
 */
export function readExternalData(proto: TensorProto, expectedBytes: number, folder: string | undefined): Uint8Array {
  const location = resolveExternal(proto, expectedBytes, folder);
  try {
    return readRange(location, proto.name);
  } catch (error) {
    if (error instanceof QuantscopeError) throw error;
    // The only RangeError here is an array longer than the engine can make.
    const code = error instanceof RangeError ? 'out-of-memory' : 'external-data-missing';
    throw new QuantscopeError(code, `The external data of tensor "${proto.name}" cannot be read.`, { cause: error });
  }
}

function readRange({ file, offset, length }: ExternalLocation, name: string): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    if (fstatSync(descriptor).size < offset + length) {
      throw new QuantscopeError(
        'external-data-missing',
        `${path.basename(file)} ends before the data of tensor "${name}".`,
      );
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const count = readSync(descriptor, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
      if (count === 0) {
        throw new QuantscopeError('external-data-missing', `${path.basename(file)} was cut while it was read.`);
      }
      done += count;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}
