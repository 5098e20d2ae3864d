/**
 * Writing a model. What fits in one protobuf message goes into one file; a model that is larger, or
 * that came with external data, keeps its tensors in `NAME.data` beside it, copied in pieces so that
 * a model larger than the memory can be written.
 */

import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { QuantscopeError } from '../../shared/errors';
import { replaceFiles, type FileSet } from '../files';
import { bytesPerElement, elementCount } from '../tensor';
import { subgraphs } from './attributes';
import { resolveExternal } from './externalData';
import {
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  type GraphProto,
  type TensorProto,
} from './generated/onnx_pb';
import { cloneModel, graphOf, serializeModel, shallow, type OnnxModel } from './model';
import { dimsOf, elementTypeOf } from './tensorProto';
import { initializersOf, isExternal } from './tensors';

/** Below the 2 GiB of a protobuf message, with room for everything that is not a tensor. */
const EMBEDDED_LIMIT = 1.9e9;

/** Smaller tensors stay in the model file: shape inference reads them, and they cost nothing there. */
const EXTERNAL_MINIMUM = 1024;

/** Offsets are multiples of a page, so that a runtime can map the tensors (onnx.proto, external_data). */
const PAGE = 4096;

const COPY_BYTES = 2 ** 23;

export interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
}

export interface WrittenModel {
  readonly files: readonly WrittenFile[];
  /** Of the model file, in hexadecimal. */
  readonly sha256: string;
}

export interface WriteOptions {
  /** Bytes of tensors above which they leave the model file. */
  readonly embeddedLimit?: number;
}

/**
 * Writes a model to `file`, the model and its data together.
 * @throws `disk-full`, `file-unwritable`, `file-not-found`, `model-too-large`, `external-data-*`
 */
export async function writeModel(file: string, model: OnnxModel, options?: WriteOptions): Promise<WrittenModel> {
  return replaceFiles((files) => addModel(files, file, model, options));
}

/** {@link writeModel} as a part of what is written together. */
export async function addModel(
  files: FileSet,
  file: string,
  model: OnnxModel,
  { embeddedLimit = EMBEDDED_LIMIT }: WriteOptions = {},
): Promise<WrittenModel> {
  const tensors = initializersOf(graphOf(model));
  const embedded = tensors.reduce((sum, tensor) => sum + tensor.rawData.length, 0);
  const external = tensors.some(isExternal) || embedded > embeddedLimit;
  if (!external) {
    const bytes = serializeModel(model);
    await files.write(file, bytes);
    return { files: [{ path: file, bytes: bytes.length }], sha256: sha256Of(bytes) };
  }
  const dataFile = `${file}.data`;
  const copy = cloneModel(model);
  const size = await files.fill(dataFile, (handle) => moveTensors(copy, handle, path.basename(dataFile)));
  const bytes = serializeModel(copy);
  await files.write(file, bytes);
  return {
    files: [
      { path: file, bytes: bytes.length },
      { path: dataFile, bytes: size },
    ],
    sha256: sha256Of(bytes),
  };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes every large tensor of `model` (edited) to `handle`; returns the size of the file. */
async function moveTensors(model: OnnxModel, handle: FileHandle, location: string): Promise<number> {
  let end = 0;
  const move = async (tensor: TensorProto): Promise<TensorProto> => {
    if (!isExternal(tensor) && tensor.rawData.length < EXTERNAL_MINIMUM) return tensor;
    const offset = Math.ceil(end / PAGE) * PAGE;
    const length = isExternal(tensor)
      ? await copyExternal(tensor, model.folder, handle, offset)
      : await writeAll(handle, tensor.rawData, offset);
    end = offset + length;
    return externalTensor(tensor, { location, offset: `${offset}`, length: `${length}` });
  };
  await replaceTensors(graphOf(model), move);
  return end;
}

async function replaceTensors(graph: GraphProto, move: (tensor: TensorProto) => Promise<TensorProto>): Promise<void> {
  for (const [i, tensor] of graph.initializer.entries()) graph.initializer[i] = await move(tensor);
  for (const node of graph.node) {
    for (const [i, old] of node.attribute.entries()) {
      if (old.t === undefined) continue;
      const moved = await move(old.t);
      // A clone shares its attributes with the original.
      if (moved !== old.t) node.attribute[i] = shallow(old, { t: moved });
    }
    for (const body of subgraphs(node)) await replaceTensors(body, move);
  }
}

function externalTensor(tensor: TensorProto, entries: Readonly<Record<string, string>>): TensorProto {
  const moved = create(TensorProtoSchema, {
    name: tensor.name,
    docString: tensor.docString,
    dataType: tensor.dataType,
    dims: [...tensor.dims],
    metadataProps: [...tensor.metadataProps],
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  });
  return tensor.$unknown === undefined ? moved : Object.assign(moved, { $unknown: tensor.$unknown });
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      Math.min(bytes.length - done, COPY_BYTES),
      position + done,
    );
    done += bytesWritten;
  }
  return bytes.length;
}

async function copyExternal(
  tensor: TensorProto,
  folder: string | undefined,
  to: FileHandle,
  position: number,
): Promise<number> {
  const type = elementTypeOf(tensor.dataType);
  const expected = type === undefined ? undefined : elementCount(dimsOf(tensor)) * bytesPerElement(type);
  const { file, offset, length } = resolveExternal(tensor, expected, folder);
  const from = await open(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(length, COPY_BYTES));
    for (let done = 0; done < length;) {
      const { bytesRead } = await from.read(buffer, 0, Math.min(length - done, buffer.length), offset + done);
      if (bytesRead === 0) {
        throw new QuantscopeError(
          'external-data-missing',
          `${path.basename(file)} ends before the data of tensor "${tensor.name}".`,
        );
      }
      await writeAll(to, buffer.subarray(0, bytesRead), position + done);
      done += bytesRead;
    }
    return length;
  } finally {
    await from.close();
  }
}
