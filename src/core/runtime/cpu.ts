/** What this CPU does to int8 products, asked of the runtime's kernels themselves. */

import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, OperatorSetIdProtoSchema } from '../onnx/generated/onnx_pb';
import { makeNode, type OnnxModel } from '../onnx/model';
import { makeTensorProto } from '../onnx/tensorProto';
import { makeTensor } from '../tensor';
import { valueInfo } from './inspect';
import { openSession } from './session';

const SIZE = 64;
const EXACT = SIZE * 255 * 127;

/** `y = a · b` with a in uint8 and a constant b of 127 in int8. */
function probeModel(): OnnxModel {
  const graph = create(GraphProtoSchema, {
    name: 'probe',
    node: [makeNode({ op: 'MatMulInteger', name: 'probe', inputs: ['a', 'b'], outputs: ['y'] })],
    input: [valueInfo('a', 'uint8', [SIZE, SIZE])],
    initializer: [makeTensorProto('b', makeTensor('int8', [SIZE, SIZE], new Int8Array(SIZE * SIZE).fill(127)))],
    output: [valueInfo('y', 'int32', [SIZE, SIZE])],
  });
  const opset = create(OperatorSetIdProtoSchema, { domain: '', version: 13n });
  return { proto: create(ModelProtoSchema, { irVersion: 8n, graph, opsetImport: [opset] }) };
}

let saturates: Promise<boolean> | undefined;

/**
 * Whether u8×s8 products saturate here: x86 without VNNI adds pairs of them in 16 bits
 * (`vpmaddubsw`), where 2·255·127 = 64770 becomes 32767. The flags of the CPU do not tell which
 * kernel the runtime picks, so the largest product is computed once and looked at.
 */
export function productsSaturate(): Promise<boolean> {
  saturates ??= probe();
  return saturates;
}

async function probe(): Promise<boolean> {
  const session = await openSession(probeModel(), { threads: 1 });
  try {
    const a = makeTensor('uint8', [SIZE, SIZE], new Uint8Array(SIZE * SIZE).fill(255));
    const { y } = await session.run({ a });
    return y === undefined || Number(y.data[0]) !== EXACT;
  } finally {
    await session.close();
  }
}
