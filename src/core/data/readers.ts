/** One reader per kind of file: turns the files of a dataset into items that can be read on their own. */

import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { QuantscopeError, toQuantscopeError } from '../../shared/errors';
import { TensorProtoSchema } from '../onnx/generated/onnx_pb';
import { readTensor } from '../onnx/tensorProto';
import type { Tensor } from '../tensor';
import { commonCount, openNpy, rowsOfTensor, sampleOf, splitArray, type RowArray } from './arrays';
import { extensionOf, type SourceFile, type SourceFiles } from './files';
import { describeInput, fitFeeds } from './fit';
import { decodeImage, imageConverter } from './image';
import { readNpz } from './npz';
import type { ResolvedPreprocess } from './preprocess';
import type { Feeds, InputInfo, Item, Skipped } from './types';

/** Items in order, and what could not become one. */
export interface Items {
  readonly items: readonly Item[];
  readonly skipped: readonly Skipped[];
}

export function imageItems(files: readonly SourceFile[], input: InputInfo, resolved: ResolvedPreprocess): Item[] {
  const convert = imageConverter(resolved);
  return files.map((file) => ({
    ...file,
    files: [file.path],
    read: async () => {
      const pixels = await decodeImage(await readFile(file.path)).catch((error: unknown) => {
        throw new Error(firstLine(error), { cause: error });
      });
      return fitFeeds({ [input.name]: convert(pixels) }, [input], file.id);
    },
  }));
}

/** libvips reports a chain of messages; the first says what is wrong. */
function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

/** Arrays of a file by name: an .npz has several, the others one, which has no name of its own but the TensorProto's. */
async function readArrays(file: SourceFile): Promise<Map<string, RowArray>> {
  const extension = extensionOf(file);
  if (extension === '.npy') return new Map([['', await openNpy(file.path)]]);
  const bytes = await readFile(file.path);
  if (extension === '.npz') return new Map([...readNpz(bytes)].map(([name, tensor]) => [name, rowsOfTensor(tensor)]));
  const { name, tensor } = parseProto(bytes);
  return new Map([[name, rowsOfTensor(tensor)]]);
}

function parseProto(bytes: Uint8Array): { name: string; tensor: Tensor } {
  const proto = fromBinary(TensorProtoSchema, bytes);
  return { name: proto.name, tensor: readTensor(proto) };
}

/**
 * .npy, .npz and .pb: a file that the source names itself may hold many samples, files of a folder hold one each.
 * @throws `data-invalid` where a file named itself cannot be read or its arrays do not fit together
 */
export async function arrayItems(sources: readonly SourceFiles[], inputs: readonly InputInfo[]): Promise<Items> {
  const items: Item[] = [];
  const skipped: Skipped[] = [];
  for (const { single, files } of sources) {
    const [stacked] = files;
    if (!single || stacked === undefined) {
      items.push(
        ...protoSets(files, inputs),
        ...files.filter((file) => !isProtoSetPart(file)).map((file) => fileItem(file, inputs)),
      );
      continue;
    }
    const split = await splitFile(stacked, inputs);
    items.push(...split.items);
    skipped.push(...split.skipped);
  }
  return { items, skipped };
}

function fileItem(file: SourceFile, inputs: readonly InputInfo[]): Item {
  return {
    ...file,
    files: [file.path],
    read: async () => {
      const arrays = await readArrays(file);
      const feeds = await Promise.all(
        [...arrays].map(async ([name, array]) => [name, await sampleOf(array, null, 0)] as const),
      );
      return fitFeeds(Object.fromEntries(feeds), inputs, file.id);
    },
  };
}

async function splitFile(file: SourceFile, inputs: readonly InputInfo[]): Promise<Items> {
  const arrays = await readArrays(file).catch((error: unknown) => {
    const { message } = toQuantscopeError(error, 'data-invalid');
    throw new QuantscopeError('data-invalid', `${file.id} cannot be read: ${message}`, { cause: error });
  });
  const lone = inputs.length === 1 && arrays.size === 1 ? [...arrays.values()][0] : undefined;
  const parts = inputs.flatMap((input) => {
    const array = lone ?? arrays.get(input.name);
    return array === undefined ? [] : [{ input, array, split: splitArray(array.dims, input) }];
  });
  if (parts.length < inputs.length) {
    const missing = inputs.filter((input) => !parts.some((part) => part.input === input));
    const held = [...arrays.keys()].map((name) => `"${name}"`).join(', ');
    throw new QuantscopeError(
      'data-invalid',
      `${file.id} lacks the input ${missing.map(describeInput).join(', ')}; it holds ${held}.`,
    );
  }
  const count = commonCount(parts, file.id);
  const whole = parts.every((part) => part.split === null);
  const items = Array.from({ length: count }, (_, index): Item => {
    const id = whole ? file.id : `${file.id}#${index}`;
    const read = async (): Promise<Feeds> => {
      const feeds = await Promise.all(
        parts.map(async ({ input, array, split }) => [input.name, await sampleOf(array, split, index)] as const),
      );
      return fitFeeds(Object.fromEntries(feeds), inputs, id);
    };
    return { id, path: file.path, files: [file.path], read };
  });
  const left = Math.max(...parts.map((part) => part.split?.left ?? 0));
  const skipped =
    left === 0 ? [] : [{ item: `${file.id} (last ${left} rows)`, reason: 'They do not fill a batch of the model.' }];
  return { items, skipped };
}

const PROTO_SET = /(?:^|\/)(input|output)_(\d+)\.pb$/;
const isProtoSetPart = (file: SourceFile): boolean => PROTO_SET.test(file.id);

/** The ONNX model zoo's layout: a folder `test_data_set_N` with `input_K.pb` is one sample. */
function protoSets(files: readonly SourceFile[], inputs: readonly InputInfo[]): Item[] {
  const folders = new Map<string, { index: number; file: SourceFile }[]>();
  for (const file of files) {
    const [, role, index] = PROTO_SET.exec(file.id) ?? [];
    if (role !== 'input') continue;
    const folder = path.dirname(file.path);
    folders.set(folder, [...(folders.get(folder) ?? []), { index: Number(index), file }]);
  }
  return [...folders].map(([folder, members]) => {
    const id = path.posix.dirname(members[0]?.file.id ?? '');
    return {
      id: id === '.' ? path.basename(folder) : id,
      path: folder,
      files: members.map(({ file }) => file.path),
      read: () => readProtoSet(members, inputs, path.basename(folder)),
    };
  });
}

/** Tensors go by their names where all are names of inputs, else by the number in the file name. */
async function readProtoSet(
  members: readonly { index: number; file: SourceFile }[],
  inputs: readonly InputInfo[],
  where: string,
): Promise<Feeds> {
  const protos = await Promise.all(
    members.map(async ({ index, file }) => ({ index, ...parseProto(await readFile(file.path)) })),
  );
  const byName = protos.every(({ name }) => inputs.some((input) => input.name === name));
  const feeds = protos.map(
    ({ index, name, tensor }) => [byName ? name : (inputs[index]?.name ?? name), tensor] as const,
  );
  return fitFeeds(Object.fromEntries(feeds), inputs, where);
}
